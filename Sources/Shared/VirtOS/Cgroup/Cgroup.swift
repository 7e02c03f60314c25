import Glibc
package import VirtCore

/// A group of processes that the kernel accounts for and limits together: the same path in every tree.
///
/// All of it reads and writes files of the kernel; what makes or removes groups may wait for it.
package struct Cgroup: Sendable, Equatable {
    package typealias Controller = CgroupHierarchy.Controller

    package let hierarchy: CgroupHierarchy
    /// From the mount points on, with a slash first.
    package let path: String

    package init(_ hierarchy: CgroupHierarchy, path: String) {
        self.hierarchy = hierarchy
        self.path = path
    }

    package func has(_ controller: Controller) -> Bool { hierarchy.mount(controller) != nil }

    /// A group below this one.
    package func child(_ name: String) -> Cgroup {
        Cgroup(hierarchy, path: path == "/" ? "/\(name)" : "\(path)/\(name)")
    }

    var parent: Cgroup { Cgroup(hierarchy, path: FileSystem.directory(of: path)) }

    private var directories: [String] { hierarchy.mounts.map { $0 + path } }

    package var exists: Bool { directories.contains(where: FileSystem.isDirectory) }

    // MARK: Making and removing

    /// Makes the group in every tree; one that is there is used.
    package func create() throws(VirtError) {
        for controller in Set(hierarchy.legacy.keys) {
            guard let point = hierarchy.legacy[controller] else { continue }
            try makeDirectory(point + path)
            switch controller {
            case .cpuset: try inheritProcessors(point)
            case .memory: try useHierarchy(point)
            default: break
            }
        }
        if let unified = hierarchy.unified {
            try makeDirectory(unified + path)
            // Each for itself: a controller that the parent may not pass on is one the group does without.
            for controller in hierarchy.unifiedControllers where controller != .cpuacct && controller != .devices {
                try? parent.enable(controller)
            }
        }
    }

    /// Makes the group for some threads of its parent's processes.
    package func createForThreads() throws(VirtError) {
        for controller in [Controller.cpu, .cpuacct, .cpuset] {
            guard let point = hierarchy.legacy[controller] else { continue }
            try makeDirectory(point + path)
            if controller == .cpuset { try inheritProcessors(point) }
        }
        guard let unified = hierarchy.unified else { return }
        try makeDirectory(unified + path)
        try Self.write("threaded", to: "\(unified)\(path)/cgroup.type")
        for controller in [Controller.cpu, .cpuset] where hierarchy.unifiedControllers.contains(controller) {
            try parent.enable(controller)
        }
    }

    private func makeDirectory(_ directory: String) throws(VirtError) {
        guard unsafe mkdir(directory, 0o755) != 0, errno != EEXIST else { return }
        throw .system(errno, .cgroup, "Failed to create cgroup '\(directory)'")
    }

    /// A new set of version 1 is empty, and takes no process before it has processors and memory.
    private func inheritProcessors(_ point: String) throws(VirtError) {
        let above = point + (parent.path == "/" ? "" : parent.path)
        for name in ["cpuset.cpus", "cpuset.mems", "cpuset.memory_migrate"] {
            let file = "\(point)\(path)/\(name)"
            let now = try Self.read(file)
            if now.isEmpty || now == "0" && name == "cpuset.memory_migrate" {
                try Self.write(Self.read("\(above)/\(name)"), to: file)
            }
        }
    }

    private func useHierarchy(_ point: String) throws(VirtError) {
        let file = "\(point)\(path)/memory.use_hierarchy"
        guard FileSystem.exists(file), try Self.read(file) == "0" else { return }
        try Self.write("1", to: file)
    }

    private func enable(_ controller: Controller) throws(VirtError) {
        guard let unified = hierarchy.unified else { return }
        let name = controller == .blkio ? "io" : controller.rawValue
        try Self.write("+\(name)", to: "\(unified)\(path == "/" ? "" : path)/cgroup.subtree_control")
    }

    /// Removes the group and those below it. A process that is just ending keeps its group for a moment.
    ///
    /// - Returns: whether it is gone from every tree.
    package func remove(patience: Duration = .seconds(2)) -> Bool {
        let end = MonotonicTime.now() + patience
        while true {
            let left = directories.filter { !Self.removeTree($0) }
            if left.isEmpty { return true }
            guard MonotonicTime.now() < end else { return false }
            usleep(10_000)
        }
    }

    private static func removeTree(_ directory: String) -> Bool {
        guard FileSystem.isDirectory(directory) else { return true }
        for name in (try? FileSystem.names(in: directory)) ?? [] {
            let below = "\(directory)/\(name)"
            if FileSystem.isDirectory(below) { _ = removeTree(below) }
        }
        return unsafe rmdir(directory) == 0 || errno == ENOENT
    }

    // MARK: Members

    /// Moves a whole process here.
    package func add(process: Int32) throws(VirtError) {
        for directory in directories { try Self.write("\(process)", to: "\(directory)/cgroup.procs") }
    }

    /// Moves one thread here, in the trees that know groups of threads.
    package func add(thread: Int32) throws(VirtError) {
        for controller in [Controller.cpu, .cpuacct, .cpuset] {
            guard let point = hierarchy.legacy[controller] else { continue }
            try Self.write("\(thread)", to: "\(point)\(path)/tasks")
        }
        if let unified = hierarchy.unified { try Self.write("\(thread)", to: "\(unified)\(path)/cgroup.threads") }
    }

    /// Moves a whole process here, in the trees that know groups of threads.
    package func addWithThreads(process: Int32) throws(VirtError) {
        for controller in [Controller.cpu, .cpuacct, .cpuset] {
            guard let point = hierarchy.legacy[controller] else { continue }
            try Self.write("\(process)", to: "\(point)\(path)/cgroup.procs")
        }
        if let unified = hierarchy.unified { try Self.write("\(process)", to: "\(unified)\(path)/cgroup.procs") }
    }

    // MARK: Files

    /// The file of a controller, by its name in version 1 and in version 2.
    func file(_ controller: Controller, _ legacy: String, _ unified: String) -> String? {
        hierarchy.mount(controller).map { "\($0.point)\(path)/\($0.isUnified ? unified : legacy)" }
    }

    static func read(_ file: String) throws(VirtError) -> String {
        let bytes: [UInt8]
        do {
            bytes = try FileSystem.read(file, limit: 1 << 20)
        } catch {
            throw .system(error.int1, .cgroup, "Unable to read from '\(file)'")
        }
        var text = String(decoding: bytes, as: UTF8.self)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }

    static func write(_ value: String, to file: String) throws(VirtError) {
        let descriptor = unsafe open(file, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(errno, .cgroup, "Unable to write to '\(file)'") }
        defer { close(descriptor) }
        // The kernel takes or refuses a value as a whole.
        var text = value
        let written = text.withUTF8 { bytes in
            unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        }
        guard written >= 0 else { throw .system(errno, .cgroup, "Unable to write to '\(file)'") }
    }
}
