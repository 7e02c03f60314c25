import Glibc
import VirtCore
import VirtModel
import VirtOS

/// A guest's control group and those of its threads below it, with the names that libvirt gives them, so that either
/// implementation finds the other's.
struct GuestCgroup: Sendable {
    let group: Cgroup

    /// `<partition>/qemu-<id>-<name>.libvirt-qemu`, as libvirt makes it where no systemd-machined does.
    ///
    /// - Throws: VIR_ERR_CONFIG_UNSUPPORTED for a partition that is not absolute.
    init(_ hierarchy: CgroupHierarchy, partition: String, id: Int32, name: String) throws(VirtError) {
        guard partition.hasPrefix("/") else {
            throw VirtError(.configUnsupported, .cgroup, "Resource partition '\(partition)' must start with '/'")
        }
        let parent = Cgroup(hierarchy, path: Self.path(ofPartition: partition))
        group = parent.child(Self.escape("\(Self.machine(id: id, name: name)).libvirt-qemu"))
    }

    /// The group that a process of this guest is in, or nil when that is no group of a guest: the guest was started
    /// where control groups could not be had.
    ///
    /// - Parameter text: the process's `/proc/PID/cgroup`.
    init?(_ hierarchy: CgroupHierarchy, process text: String, id: Int32, name: String) {
        guard var path = hierarchy.path(inProcess: text) else { return nil }
        if path.hasSuffix("/emulator") { path.removeLast("/emulator".count) }
        let machine = Self.machine(id: id, name: name)
        let steps = path.split(separator: "/")
        // Where systemd-machined was asked, the guest has a scope, and libvirt a group of its own in it (version 2).
        let scope = "machine-\(machine.replacing("-", with: "\\x2d")).scope"
        let own = steps.last == "libvirt" ? steps.dropLast().last : steps.last
        guard steps.last == Self.escape("\(machine).libvirt-qemu")[...] || own == scope[...] else { return nil }
        group = Cgroup(hierarchy, path: path)
    }

    // MARK: Names

    /// A machine name as systemd takes it: letters, digits, and single dots and dashes; 64 at most.
    static func machine(id: Int32, name: String) -> String {
        var text = "qemu-\(id)-"
        var mayAdd = false
        for character in name.utf8 where text.utf8.count < 64 {
            let letter = Character(Unicode.Scalar(character))
            if letter == "." || letter == "-" {
                if mayAdd { text.append(letter) }
                mayAdd = false
            } else if letter.isASCII, letter.isLetter || letter.isNumber {
                text.append(letter)
                mayAdd = true
            }
        }
        while let last = text.last, last == "-" || last == "." { text.removeLast() }
        return text
    }

    /// Each step of a partition is a group of its own, `.partition`, so that it is no guest's.
    static func path(ofPartition partition: String) -> String {
        let steps = partition.split(separator: "/").enumerated().map { index, step -> String in
            if index == 0, ["machine", "system", "user"].contains(step) { return String(step) }
            return escape(step.contains(".") ? String(step) : "\(step).partition")
        }
        return "/" + steps.joined(separator: "/")
    }

    /// A name that the kernel could take for one of its files gets an underscore.
    static func escape(_ name: String) -> String {
        let controllers = Cgroup.Controller.allCases.map(\.rawValue) + ["cgroup", "hugetlb", "pids", "rdma", "misc"]
        let isMistakable = controllers.contains { name.hasPrefix("\($0).") }
        return isMistakable || name.hasPrefix("_") || name.hasPrefix(".") ? "_" + name : name
    }

    // MARK: Groups

    /// Some of a guest's threads, which share a quota.
    enum Threads: Hashable, Sendable {
        case vcpu(Int)
        case iothread(UInt32)
        case emulator

        var directory: String {
            switch self {
            case .vcpu(let index): "vcpu\(index)"
            case .iothread(let id): "iothread\(id)"
            case .emulator: "emulator"
            }
        }
    }

    func threads(_ threads: Threads) -> Cgroup { group.child(threads.directory) }

    func has(_ controller: Cgroup.Controller) -> Bool { group.has(controller) }

    /// Puts a new guest's process into a fresh group with the limits of its definition.
    func enter(_ pid: Int32, _ domain: Domain) throws(VirtError) {
        // What a guest of the same name left when the host went down hard.
        _ = group.remove(patience: .zero)
        try makePartition(domain.resource.partition ?? "/machine")
        try group.create()
        try group.add(process: pid)
        try limit(domain)
    }

    /// `/machine` is made where it is missing; a partition of the administrator's own has to be there.
    private func makePartition(_ partition: String) throws(VirtError) {
        let parent = Cgroup(group.hierarchy, path: Self.path(ofPartition: partition))
        if partition == "/machine" { return try parent.create() }
        guard parent.exists else { throw .system(ENOENT, .cgroup, "Failed to create cgroup '\(parent.path)'") }
    }

    private func limit(_ domain: Domain) throws(VirtError) {
        try requireControllers(domain)
        if let weight = domain.blockIOTuning.weight { try group.setWeight(weight) }
        for device in domain.blockIOTuning.devices { try apply(device) }
        let memory = domain.memoryTuning
        if let hard = memory.hardLimit { try group.setMemory(hard: hard) }
        if let soft = memory.softLimit { try group.setMemory(soft: soft) }
        if let swap = memory.swapHardLimit { try group.setMemory(swap: swap, hard: memory.hardLimit) }
        let tuning = domain.cpuTuning
        if let shares = tuning.shares { try group.setShares(shares) }
        if tuning.globalPeriod != nil || tuning.globalQuota != nil {
            try group.setBandwidth(period: tuning.globalPeriod, quota: tuning.globalQuota)
        }
        if has(.cpuset) { try group.migrateMemory() }
    }

    private func requireControllers(_ domain: Domain) throws(VirtError) {
        for controller in [Cgroup.Controller.blkio, .memory, .cpu] where !has(controller) {
            try domain.requireNothing(of: controller)
        }
    }

    func apply(_ device: BlockIOTuning.Device) throws(VirtError) {
        guard let path = device.path else { return }
        if let weight = device.weight { try group.setWeight(weight, device: path) }
        if let rate = device.readIOPS { try group.setRate(.readOperations, UInt64(rate), device: path) }
        if let rate = device.writeIOPS { try group.setRate(.writeOperations, UInt64(rate), device: path) }
        if let rate = device.readBytes { try group.setRate(.readBytes, rate, device: path) }
        if let rate = device.writeBytes { try group.setRate(.writeBytes, rate, device: path) }
    }

    /// Gives one of the guest's threads (the emulator: its process) its group, processors and quota.
    ///
    /// - Parameter processors: nil where the definition binds it to none.
    func place(_ threads: Threads, _ thread: Int32, _ domain: Domain, processors: BitSet?) throws(VirtError) {
        let (period, quota) = domain.cpuTuning.bandwidth(of: threads)
        guard has(.cpu) || has(.cpuset) else {
            guard period == nil, quota == nil else {
                throw VirtError(.configUnsupported, .qemu, "cgroup cpu is required for scheduler tuning")
            }
            return
        }
        let group = self.threads(threads)
        try group.createForThreads()
        if has(.cpuset) {
            if let processors { try group.setProcessors(processors.description) }
            if let nodes = domain.memoryNodes(of: threads) { try group.setMemoryNodes(nodes.description) }
        }
        if period != nil || quota != nil { try group.setBandwidth(period: period, quota: quota) }
        switch threads {
        case .emulator: try moveAll(of: thread, to: group)
        case .vcpu, .iothread: try group.add(thread: thread)
        }
    }

    /// Lets a program that works for the guest share the emulator's processors.
    func place(companion pid: Int32) throws(VirtError) {
        guard has(.cpu) || has(.cpuset) else { return }
        try threads(.emulator).addWithThreads(process: pid)
    }

    /// All threads that a process has by now; those that it starts later come along by themselves.
    private func moveAll(of pid: Int32, to group: Cgroup) throws(VirtError) {
        try group.add(thread: pid)
        for name in (try? FileSystem.names(in: "/proc/\(pid)/task")) ?? [] {
            guard let thread = Int32(name), thread != pid else { continue }
            do {
                try group.add(thread: thread)
            } catch  where error.int1 == ESRCH {
                continue
            }
        }
    }
}

extension Domain {
    /// A host without a controller takes no definition that needs it.
    func requireNothing(of controller: Cgroup.Controller) throws(VirtError) {
        switch controller {
        case .blkio where blockIOTuning.weight != nil || !blockIOTuning.devices.isEmpty:
            throw VirtError(.configUnsupported, .qemu, "Block I/O tuning is not available on this host")
        case .memory
        where memoryTuning.hardLimit != nil || memoryTuning.softLimit != nil || memoryTuning.swapHardLimit != nil:
            throw VirtError(.configUnsupported, .qemu, "Memory cgroup is not available on this host")
        case .cpu where cpuTuning.shares != nil:
            throw VirtError(.configUnsupported, .qemu, "CPU tuning is not available on this host")
        default: return
        }
    }

    /// The host nodes that threads may allocate on: strict ones for all, restrictive ones for a guest node's vCPUs.
    fileprivate func memoryNodes(of threads: GuestCgroup.Threads) -> BitSet? {
        if case .vcpu(let index) = threads, let cells = cpu?.numa?.cells,
            let cell = cells.firstIndex(where: { $0.cpus?.contains(UInt32(clamping: index)) == true })
        {
            let number = cells[cell].id ?? UInt32(clamping: cell)
            let node = numaTuning.nodes.first { $0.cell == number }
            if node?.mode ?? numaTuning.mode == .restrictive { return node?.nodeset ?? numaTuning.nodeset }
        }
        return numaTuning.mode == .strict ? numaTuning.nodeset : nil
    }
}

extension CPUTuning {
    fileprivate func bandwidth(of threads: GuestCgroup.Threads) -> (period: UInt64?, quota: Int64?) {
        switch threads {
        case .vcpu: (period, quota)
        case .iothread: (iothreadPeriod, iothreadQuota)
        case .emulator: (emulatorPeriod, emulatorQuota)
        }
    }
}
