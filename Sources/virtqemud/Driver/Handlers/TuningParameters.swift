import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// The tunables that travel as typed parameters. Those that the kernel's control groups would enforce can be read and
/// set in the definition; this driver makes no control groups, and says so for running guests.
enum TuningParameters {
    /// VIR_DOMAIN_MEMORY_PARAM_UNLIMITED.
    static let unlimited: UInt64 = 9_007_199_254_740_991

    static func install(into table: inout HandlerTable, _ registry: DomainRegistry) {
        installScheduler(into: &table, registry)
        installMemory(into: &table, registry)
        installBlockIO(into: &table, registry)
        installNUMA(into: &table, registry)
        table.on(RemoteProgram.DomainGetPerfEvents.self) { arguments, _ in
            let domain = try definition(registry.snapshot(arguments.dom), arguments.flags)
            return .init(
                params: perfEvents.map { name in
                    let isOn = domain.performanceEvents.contains { $0.name == name && $0.enabled }
                    return TypedParameter(name, .boolean(isOn))
                })
        }
    }

    private static let perfEvents = [
        "cmt", "mbmt", "mbml", "cpu_cycles", "instructions", "cache_references", "cache_misses",
        "branch_instructions", "branch_misses", "bus_cycles", "stalled_cycles_frontend", "stalled_cycles_backend",
        "ref_cpu_cycles", "cpu_clock", "task_clock", "page_faults", "context_switches", "cpu_migrations",
        "page_faults_min", "page_faults_maj", "alignment_faults", "emulation_faults",
    ]

    /// The definition that flags mean.
    static func definition(_ snapshot: DomainSnapshot, _ flags: UInt32) throws -> Domain {
        let impact = try ModificationImpact(flags & ModificationImpact.mask, snapshot)
        return impact.live ? try snapshot.current() : try snapshot.persistent()
    }

    /// As many as a client has room for; none and their count when it asks how many there are.
    static func fit(_ list: [TypedParameter], _ room: Int32) -> (params: [TypedParameter], nparams: Int32) {
        guard room > 0 else { return ([], Int32(clamping: list.count)) }
        let shown = Array(list.prefix(Int(room)))
        return (shown, Int32(clamping: shown.count))
    }

    private static func noController(_ name: String) -> VirtError {
        VirtError(.operationInvalid, .qemu, "cgroup \(name) controller is not mounted")
    }

    // MARK: Processor shares

    private static func installScheduler(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainGetSchedulerType.self) { arguments, _ in
            _ = try registry.snapshot(arguments.dom)
            return .init(type: "posix", nparams: 9)
        }
        table.on(RemoteProgram.DomainGetSchedulerParameters.self) { arguments, _ in
            .init(params: fit(try scheduler(registry.snapshot(arguments.dom), 0), arguments.nparams).params)
        }
        table.on(RemoteProgram.DomainGetSchedulerParametersFlags.self) { arguments, _ in
            let list = try scheduler(registry.snapshot(arguments.dom), arguments.flags)
            return .init(params: fit(list, arguments.nparams).params)
        }
        table.onChange(RemoteProgram.DomainSetSchedulerParametersFlags.self) { arguments, caller in
            let params = arguments.params
            try await registry.actor(arguments.dom).change(
                "virDomainSetSchedulerParametersFlags", flags: arguments.flags & 3, caller.client,
                guest: { _, _ in throw noController("CPU") }
            ) { domain in
                for parameter in params { try domain.cpuTuning.set(parameter) }
            }
            return .init()
        }
    }

    /// A definition's numbers, 0 where it has none; those of a guest are what the kernel does with any process.
    private static func scheduler(_ snapshot: DomainSnapshot, _ flags: UInt32) throws -> [TypedParameter] {
        let isLive = try ModificationImpact(flags & ModificationImpact.mask, snapshot).live
        var tuning = try definition(snapshot, flags).cpuTuning
        if isLive {
            tuning = CPUTuning()
            tuning.shares = 1024
            for period in [\CPUTuning.period, \.emulatorPeriod, \.globalPeriod, \.iothreadPeriod] {
                tuning[keyPath: period] = 100_000
            }
            for quota in [\CPUTuning.quota, \.emulatorQuota, \.globalQuota, \.iothreadQuota] {
                tuning[keyPath: quota] = -1
            }
        }
        return [
            TypedParameter("cpu_shares", .ullong(tuning.shares ?? 0)),
            TypedParameter("vcpu_period", .ullong(tuning.period ?? 0)),
            TypedParameter("vcpu_quota", .llong(tuning.quota ?? 0)),
            TypedParameter("emulator_period", .ullong(tuning.emulatorPeriod ?? 0)),
            TypedParameter("emulator_quota", .llong(tuning.emulatorQuota ?? 0)),
            TypedParameter("global_period", .ullong(tuning.globalPeriod ?? 0)),
            TypedParameter("global_quota", .llong(tuning.globalQuota ?? 0)),
            TypedParameter("iothread_period", .ullong(tuning.iothreadPeriod ?? 0)),
            TypedParameter("iothread_quota", .llong(tuning.iothreadQuota ?? 0)),
        ]
    }

    // MARK: Memory limits

    private static func installMemory(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainGetMemoryParameters.self) { arguments, _ in
            let tuning = try definition(registry.snapshot(arguments.dom), arguments.flags).memoryTuning
            let list = [
                TypedParameter("hard_limit", .ullong(tuning.hardLimit ?? unlimited)),
                TypedParameter("soft_limit", .ullong(tuning.softLimit ?? unlimited)),
                TypedParameter("swap_hard_limit", .ullong(tuning.swapHardLimit ?? unlimited)),
            ]
            let fitted = fit(list, arguments.nparams)
            return .init(params: fitted.params, nparams: fitted.nparams)
        }
        table.onChange(RemoteProgram.DomainSetMemoryParameters.self) { arguments, caller in
            let params = arguments.params
            try await registry.actor(arguments.dom).change(
                "virDomainSetMemoryParameters", flags: arguments.flags & 3, caller.client,
                guest: { _, _ in throw noController("memory") }
            ) { domain in
                for parameter in params { try domain.memoryTuning.set(parameter) }
            }
            return .init()
        }
    }

    // MARK: Disk weights

    private static func installBlockIO(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainGetBlkioParameters.self) { arguments, _ in
            let snapshot = try registry.snapshot(arguments.dom)
            let tuning = try definition(snapshot, arguments.flags).blockIOTuning
            let standard: UInt32 = try ModificationImpact(arguments.flags & 3, snapshot).live ? 100 : 0
            func devices(_ value: (BlockIOTuning.Device) -> String?) -> TypedValue {
                .string(
                    tuning.devices.compactMap { device in
                        value(device).map { "\(device.path ?? ""),\($0)" }
                    }.joined(separator: ","))
            }
            let list = [
                TypedParameter("weight", .uint(tuning.weight ?? standard)),
                TypedParameter("device_weight", devices { $0.weight.map(String.init) }),
                TypedParameter("device_read_iops_sec", devices { $0.readIOPS.map(String.init) }),
                TypedParameter("device_write_iops_sec", devices { $0.writeIOPS.map(String.init) }),
                TypedParameter("device_read_bytes_sec", devices { $0.readBytes.map(String.init) }),
                TypedParameter("device_write_bytes_sec", devices { $0.writeBytes.map(String.init) }),
            ]
            let fitted = fit(list, arguments.nparams)
            return .init(params: fitted.params, nparams: fitted.nparams)
        }
        table.onChange(RemoteProgram.DomainSetBlkioParameters.self) { arguments, caller in
            let params = arguments.params
            try await registry.actor(arguments.dom).change(
                "virDomainSetBlkioParameters", flags: arguments.flags & 3, caller.client,
                guest: { _, _ in throw noController("blkio") }
            ) { domain in
                for parameter in params {
                    guard parameter.field == "weight", case .uint(let weight) = parameter.value else {
                        throw TuningParameters.unknown(parameter)
                    }
                    domain.blockIOTuning.weight = weight == 0 ? nil : weight
                }
            }
            return .init()
        }
    }

    // MARK: NUMA nodes

    private static func installNUMA(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainGetNumaParameters.self) { arguments, _ in
            let tuning = try definition(registry.snapshot(arguments.dom), arguments.flags).numaTuning
            let modes: [NUMATuning.Mode] = [.strict, .preferred, .interleave, .restrictive]
            let mode = modes.firstIndex(of: tuning.mode ?? .strict) ?? 0
            let list = [
                TypedParameter("numa_mode", .int(Int32(mode))),
                TypedParameter("numa_nodeset", .string(tuning.nodeset?.description ?? "")),
            ]
            let fitted = fit(list, arguments.nparams)
            return .init(params: fitted.params, nparams: fitted.nparams)
        }
        table.onChange(RemoteProgram.DomainSetNumaParameters.self) { arguments, caller in
            let params = arguments.params
            try await registry.actor(arguments.dom).change(
                "virDomainSetNumaParameters", flags: arguments.flags & 3, caller.client,
                guest: { _, _ in throw noController("cpuset") }
            ) { domain in
                for parameter in params { try domain.numaTuning.set(parameter) }
            }
            return .init()
        }
    }

    static func unknown(_ parameter: TypedParameter) -> VirtError {
        VirtError(.invalidArg, .none, "parameter '\(parameter.field)' not supported")
    }
}

extension CPUTuning {
    fileprivate mutating func set(_ parameter: TypedParameter) throws(VirtError) {
        switch (parameter.field, parameter.value) {
        case ("cpu_shares", .ullong(let value)):
            guard (2...262_144).contains(value) else {
                throw VirtError(.invalidArg, .none, "shares '\(value)' must be in range [2, 262144]")
            }
            shares = value
        case ("vcpu_period", .ullong(let value)): period = value == 0 ? nil : value
        case ("vcpu_quota", .llong(let value)): quota = value == 0 ? nil : value
        case ("emulator_period", .ullong(let value)): emulatorPeriod = value == 0 ? nil : value
        case ("emulator_quota", .llong(let value)): emulatorQuota = value == 0 ? nil : value
        case ("global_period", .ullong(let value)): globalPeriod = value == 0 ? nil : value
        case ("global_quota", .llong(let value)): globalQuota = value == 0 ? nil : value
        case ("iothread_period", .ullong(let value)): iothreadPeriod = value == 0 ? nil : value
        case ("iothread_quota", .llong(let value)): iothreadQuota = value == 0 ? nil : value
        default: throw TuningParameters.unknown(parameter)
        }
    }
}

extension MemoryTuning {
    fileprivate mutating func set(_ parameter: TypedParameter) throws(VirtError) {
        guard case .ullong(let value) = parameter.value else { throw TuningParameters.unknown(parameter) }
        let limit = value >= TuningParameters.unlimited ? nil : value
        switch parameter.field {
        case "hard_limit": hardLimit = limit
        case "soft_limit": softLimit = limit
        case "swap_hard_limit": swapHardLimit = limit
        default: throw TuningParameters.unknown(parameter)
        }
    }
}

extension NUMATuning {
    fileprivate mutating func set(_ parameter: TypedParameter) throws(VirtError) {
        let modes: [Mode] = [.strict, .preferred, .interleave, .restrictive]
        switch (parameter.field, parameter.value) {
        case ("numa_mode", .int(let value)):
            guard modes.indices.contains(Int(value)) else {
                throw VirtError(.invalidArg, .qemu, "unsupported numatune mode: '\(value)'")
            }
            mode = modes[Int(value)]
        case ("numa_nodeset", .string(let text)):
            guard let set = BitSet(parsing: text), !set.isEmpty else {
                throw VirtError(.operationInvalid, .qemu, "Invalid nodeset of 'numatune': \(text)")
            }
            nodeset = set
            if mode == nil { mode = .strict }
            placement = nil
        default: throw TuningParameters.unknown(parameter)
        }
    }
}
