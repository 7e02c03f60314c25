import Glibc
import QEMUCommand
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// Disk images: volumes become paths, chains are followed, and missing images are noticed before there is a process.
extension DomainActor {
    func prepareDisks(_ plan: inout StartPlan) async throws {
        for index in plan.domain.devices.disks.indices {
            try await resolveVolume(&plan.domain.devices.disks[index])
        }
        let configuration = driver.configuration
        let disks = plan.domain.devices.disks
        let groups = descriptorGroups
        plan.domain.devices.disks = try await BlockingPool.shared.run {
            try disks.map { disk in
                var disk = disk
                try disk.followChain(configuration, groups)
                return disk
            }
        }
        runtime?.nodeIndex = plan.domain.assignNodeIndexes()
        try passImages(&plan)
        live = plan.domain
    }

    /// QEMU gets the images that a client opened as descriptors.
    private func passImages(_ plan: inout StartPlan) throws(VirtError) {
        for image in plan.domain.devices.disks.reversed().flatMap(\.chain) {
            guard let name = image.fdGroup, let index = image.index else { continue }
            var numbers: [Int32] = []
            for descriptor in try descriptorGroups.required(name) { numbers.append(plan.pass(descriptor)) }
            plan.environment.images[index] = .init(number: nextDescriptorSet(), descriptors: numbers)
        }
    }

    /// The number of a set that QEMU does not have yet.
    func nextDescriptorSet() -> Int32 {
        let number = Int32(clamping: runtime?.descriptorSetIndex ?? 0)
        runtime?.descriptorSetIndex += 1
        return number
    }

    /// `<source pool= volume=>` becomes the volume's path.
    func resolveVolume(_ disk: inout Disk) async throws {
        try await GuestResources(driver: driver, loop: loop, key: .random()).findVolume(&disk)
    }
}

extension Disk {
    /// Checks that the images are there and fills in those below the top one, as far as the definition leaves them open.
    /// Blocks.
    mutating func followChain(
        _ configuration: DriverConfiguration, _ groups: DescriptorGroups = DescriptorGroups()
    ) throws(VirtError) {
        if source.isEmpty {
            // An empty drive has no format until something is put in.
            driver?.type = nil
            return
        }
        guard let top = try ImageFile(source, groups) else { return }
        if top.descriptor == nil {
            guard try checkAccess(top.path, configuration) else { return }
        }
        backingStore = try Self.follow(backingStore, below: top, driver?.type, depth: 0, groups)
    }

    /// A file of a chain: what a client opened, or what its path leads to.
    private struct ImageFile {
        let path: String
        var descriptor: DescriptorBox?

        init(path: String) { self.path = path }

        /// Nil for what is no file of this host.
        init?(_ source: DiskSource, _ groups: DescriptorGroups) throws(VirtError) {
            guard let path = source.hostPath else { return nil }
            self.path = path
            if let name = source.fdGroup { descriptor = try groups.required(name).first }
        }

        /// The first bytes of the image.
        func start(_ count: Int) throws(VirtError) -> [UInt8] {
            guard let descriptor else { return try FileSystem.start(of: path, count) }
            return try FileSystem.start(of: descriptor.rawValue, count, name: path)
        }
    }

    /// A chain as far as the definition says it, then as far as the images do.
    private static func follow(
        _ store: BackingStore?, below image: ImageFile?, _ format: String?, depth: Int, _ groups: DescriptorGroups
    ) throws(VirtError) -> BackingStore {
        guard var store else {
            guard let image, let format = format.flatMap(StorageFileFormat.init(rawValue:)) else {
                return BackingStore()
            }
            return try below(image, format, depth: depth)
        }
        guard let source = store.source else { return store }
        let file = try ImageFile(source, groups)
        if let path = image?.path, let next = file?.path, file?.descriptor == nil {
            var status = stat()
            guard unsafe stat(next, &status) == 0 else {
                throw .system(errno, .storage, "Cannot access backing file '\(next)' of storage file '\(path)'")
            }
        }
        store.backingStore = try follow(store.backingStore, below: file, store.format?.type, depth: depth + 1, groups)
        return store
    }

    /// False: the image is missing and its policy says that the drive is then empty.
    private mutating func checkAccess(_ path: String, _ configuration: DriverConfiguration) throws(VirtError) -> Bool {
        var status = stat()
        if unsafe stat(path, &status) == 0 { return true }
        let code = errno
        if source.startupPolicy == .optional {
            source.file = nil
            source.dev = nil
            return false
        }
        let user =
            configuration.dynamicOwnership || configuration.uid != 0
            ? " (as uid:\(configuration.uid), gid:\(configuration.gid))" : ""
        throw .system(code, .storage, "Cannot access storage file '\(path)'\(user)")
    }

    /// The images below an image of that format; an empty store ends the chain.
    private static func below(
        _ image: ImageFile, _ format: StorageFileFormat, depth: Int
    ) throws(VirtError) -> BackingStore {
        let path = image.path
        var store = BackingStore()
        guard format.canHaveBackingImage else { return store }
        let header = ImageProbe.metadata(try image.start(ImageProbe.headerSize), as: format)
        guard let name = header.backingPath else { return store }
        guard depth < 200 else {
            throw VirtError(.internalError, .storage, "backing store for '\(path)' is self-referential or too deep")
        }
        guard let next = ImageProbe.localPath(name, of: path) else {
            throw VirtError(.operationUnsupported, .storage, "backing image '\(name)' of '\(path)' is no local file")
        }
        guard let format = header.backingFormat else {
            throw VirtError(
                .operationInvalid, .storage,
                "format of backing image '\(next)' of image '\(path)' was not specified in the image metadata"
                    + " (See https://libvirt.org/kbase/backing_chains.html for troubleshooting)")
        }
        var status = stat()
        guard unsafe stat(next, &status) == 0 else {
            throw .system(errno, .storage, "Cannot access backing file '\(next)' of storage file '\(path)'")
        }
        var source = DiskSource()
        source.type = status.st_mode & S_IFMT == S_IFBLK ? .block : .file
        if source.type == .block { source.dev = next } else { source.file = next }
        store.source = source
        store.isDetected = true
        var kind = DiskFormat()
        kind.type = format.rawValue
        store.format = kind
        store.backingStore = try below(ImageFile(path: next), format, depth: depth + 1)
        return store
    }
}

extension DiskSource {
    /// The path on this host, a volume's as well once it is known.
    var hostPath: String? { type == .volume ? file : localPath }
}
