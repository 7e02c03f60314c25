import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// Virtual processors: where they run and where they may run.
enum ProcessorHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.on(RemoteProgram.DomainGetVcpus.self) { arguments, _ in
            try vcpus(registry.snapshot(arguments.dom), arguments)
        }
        table.on(RemoteProgram.DomainGetVcpuPinInfo.self) { arguments, _ in
            try pins(registry.snapshot(arguments.dom), arguments)
        }
        table.on(RemoteProgram.DomainGetEmulatorPinInfo.self) { arguments, _ in
            try arguments.flags.checkFlags(ModificationImpact.mask, "qemuDomainGetEmulatorPinInfo")
            let snapshot = try registry.snapshot(arguments.dom)
            let impact = try ModificationImpact(arguments.flags, snapshot)
            let domain = impact.live ? try snapshot.current() : try snapshot.persistent()
            let set = set(domain.cpuTuning.emulatorPin ?? domain.vcpu.cpuset)
            return .init(cpumaps: set.padded(to: length(arguments.maplen)), ret: 1)
        }
        table.on(RemoteProgram.DomainGetIothreadInfo.self) { arguments, _ in
            let list = try threads(registry.snapshot(arguments.dom), arguments.flags)
            return .init(info: list, ret: UInt32(clamping: list.count))
        }
        installPins(into: &table, registry)
    }

    private static func installPins(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onChange(RemoteProgram.DomainPinVcpu.self) { arguments, caller in
            try await registry.actor(arguments.dom).pin(
                vcpu: arguments.vcpu, ProcessorSet(bytes: arguments.cpumap), flags: ModificationImpact.liveFlag,
                caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainPinVcpuFlags.self) { arguments, caller in
            try arguments.flags.checkFlags(ModificationImpact.mask, "qemuDomainPinVcpuFlags")
            try await registry.actor(arguments.dom).pin(
                vcpu: arguments.vcpu, ProcessorSet(bytes: arguments.cpumap), flags: arguments.flags, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainPinEmulator.self) { arguments, caller in
            try arguments.flags.checkFlags(ModificationImpact.mask, "qemuDomainPinEmulator")
            try await registry.actor(arguments.dom).pinEmulator(
                ProcessorSet(bytes: arguments.cpumap), flags: arguments.flags, caller.client)
            return .init()
        }
    }

    /// Bytes of a map that a client has room for.
    static func length(_ wanted: Int32) -> Int { Int(min(max(0, wanted), 2048)) }

    /// A definition's set of processors; nil is all of them.
    static func set(_ members: BitSet?) -> ProcessorSet {
        let count = ProcessorSet.hostCount
        guard let members else { return .all(count) }
        return ProcessorSet(members.members.map { Int($0) }, count: count)
    }

    /// virDomainGetVcpus.
    static func vcpus(
        _ snapshot: DomainSnapshot, _ arguments: RemoteDomainGetVcpusArgs
    ) throws -> RemoteDomainGetVcpusRet {
        guard snapshot.isActive else {
            throw VirtError(
                .operationInvalid, .qemu, "cannot retrieve vcpu information for inactive domain")
        }
        let (_, runtime) = try snapshot.running()
        let length = length(arguments.maplen)
        var info: [RemoteVcpuInfo] = []
        var maps: [UInt8] = []
        for (index, vcpu) in runtime.vcpus.enumerated() where vcpu.isOnline {
            guard info.count < Int(max(0, arguments.maxinfo)), let thread = vcpu.thread else { continue }
            let statistics = ProcessStatistics.read(pid: runtime.pid, thread: thread)
            info.append(
                RemoteVcpuInfo(
                    number: UInt32(clamping: index), state: 1, cpuTime: statistics?.total ?? 0,
                    cpu: statistics?.processor ?? -1))
            maps += try ProcessorSet.affinity(of: thread).padded(to: length)
        }
        return .init(info: info, cpumaps: maps)
    }

    /// virDomainGetVcpuPinInfo.
    static func pins(
        _ snapshot: DomainSnapshot, _ arguments: RemoteDomainGetVcpuPinInfoArgs
    ) throws -> RemoteDomainGetVcpuPinInfoRet {
        try arguments.flags.checkFlags(ModificationImpact.mask, "qemuDomainGetVcpuPinInfo")
        let impact = try ModificationImpact(arguments.flags, snapshot)
        let domain = impact.live ? try snapshot.current() : try snapshot.persistent()
        let count = Int32(clamping: min(domain.vcpu.maximum, UInt32(max(0, arguments.ncpumaps))))
        var maps: [UInt8] = []
        for index in 0..<UInt32(count) {
            let pin = domain.cpuTuning.vcpuPins.first { $0.vcpu == index }?.cpuset ?? domain.vcpu.cpuset
            maps += set(pin).padded(to: length(arguments.maplen))
        }
        return .init(cpumaps: maps, num: count)
    }

    /// virDomainGetIOThreadInfo: of a guest by its threads, of a definition by its pins.
    static func threads(_ snapshot: DomainSnapshot, _ flags: UInt32) throws -> [RemoteDomainIothreadInfo] {
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainGetIOThreadInfo")
        let impact = try ModificationImpact(flags, snapshot)
        let length = (ProcessorSet.hostCount + 7) / 8
        if impact.live, let runtime = snapshot.runtime {
            return try runtime.ioThreads.map { thread in
                let set = try ProcessorSet.affinity(of: thread.thread)
                return .init(iothreadId: thread.id, cpumap: set.padded(to: length))
            }
        }
        let domain = try snapshot.persistent()
        return domain.iothreadIDs.map { thread in
            let pin = domain.cpuTuning.iothreadPins.first { $0.iothread == thread.id }?.cpuset
            return .init(iothreadId: thread.id, cpumap: set(pin ?? domain.vcpu.cpuset).padded(to: length))
        }
    }
}
