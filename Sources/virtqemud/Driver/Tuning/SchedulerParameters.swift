import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// One of the nine numbers of virDomainGetSchedulerParameters, named as they travel.
enum SchedulerParameter: String, CaseIterable, Sendable {
    case shares = "cpu_shares"
    case vcpuPeriod = "vcpu_period"
    case vcpuQuota = "vcpu_quota"
    case emulatorPeriod = "emulator_period"
    case emulatorQuota = "emulator_quota"
    case globalPeriod = "global_period"
    case globalQuota = "global_quota"
    case iothreadPeriod = "iothread_period"
    case iothreadQuota = "iothread_quota"

    /// Whose number it is.
    private enum Scope { case guest, vcpus, emulator, iothreads }

    private var scope: Scope {
        switch self {
        case .shares, .globalPeriod, .globalQuota: .guest
        case .vcpuPeriod, .vcpuQuota: .vcpus
        case .emulatorPeriod, .emulatorQuota: .emulator
        case .iothreadPeriod, .iothreadQuota: .iothreads
        }
    }

    private var isQuota: Bool {
        switch self {
        case .vcpuQuota, .emulatorQuota, .globalQuota, .iothreadQuota: true
        case .shares, .vcpuPeriod, .emulatorPeriod, .globalPeriod, .iothreadPeriod: false
        }
    }

    /// Reads a parameter of a call; a quota is signed.
    ///
    /// - Throws: VIR_ERR_INVALID_ARG for an unknown name, a wrong type, or a value out of libvirt's range.
    init(_ parameter: TypedParameter) throws(VirtError) {
        guard let known = Self(rawValue: parameter.field) else { throw TuningParameters.unknown(parameter) }
        switch (parameter.value, known.isQuota) {
        case (.ullong(let value), false):
            if known != .shares { try known.check(value <= 1_000_000 && !(1..<1000).contains(value), 1_000_000) }
        case (.llong(let value), true):
            try known.check(value <= Cgroup.noQuota && !(1..<1000).contains(value), Cgroup.noQuota)
        default:
            throw VirtError(
                .invalidArg, .none,
                "invalid type for parameter '\(parameter.field)', expected '\(known.isQuota ? "llong" : "ullong")'")
        }
        self = known
    }

    private func check(_ isInRange: Bool, _ highest: Int64) throws(VirtError) {
        guard isInRange else {
            throw VirtError(.invalidArg, .qemu, "value of '\(rawValue)' is out of range [1000, \(highest)]")
        }
    }

    /// The definition's number, 0 where it has none.
    func value(in tuning: CPUTuning) -> TypedParameter {
        switch self {
        case .shares: TypedParameter(rawValue, .ullong(tuning.shares ?? 0))
        case .vcpuPeriod: TypedParameter(rawValue, .ullong(tuning.period ?? 0))
        case .vcpuQuota: TypedParameter(rawValue, .llong(tuning.quota ?? 0))
        case .emulatorPeriod: TypedParameter(rawValue, .ullong(tuning.emulatorPeriod ?? 0))
        case .emulatorQuota: TypedParameter(rawValue, .llong(tuning.emulatorQuota ?? 0))
        case .globalPeriod: TypedParameter(rawValue, .ullong(tuning.globalPeriod ?? 0))
        case .globalQuota: TypedParameter(rawValue, .llong(tuning.globalQuota ?? 0))
        case .iothreadPeriod: TypedParameter(rawValue, .ullong(tuning.iothreadPeriod ?? 0))
        case .iothreadQuota: TypedParameter(rawValue, .llong(tuning.iothreadQuota ?? 0))
        }
    }

    func set(_ value: TypedValue, in tuning: inout CPUTuning) {
        let period: UInt64? = if case .ullong(let number) = value, number != 0 { number } else { nil }
        let quota: Int64? = if case .llong(let number) = value, number != 0 { number } else { nil }
        switch self {
        case .shares: tuning.shares = period ?? 0
        case .vcpuPeriod: tuning.period = period
        case .vcpuQuota: tuning.quota = quota
        case .emulatorPeriod: tuning.emulatorPeriod = period
        case .emulatorQuota: tuning.emulatorQuota = quota
        case .globalPeriod: tuning.globalPeriod = period
        case .globalQuota: tuning.globalQuota = quota
        case .iothreadPeriod: tuning.iothreadPeriod = period
        case .iothreadQuota: tuning.iothreadQuota = quota
        }
    }

    // MARK: The running guest

    /// The number as the kernel has it.
    func value(in runtime: GuestRuntime) throws(VirtError) -> TypedParameter {
        let guest = try runtime.requireCgroup(.cpu, "CPU")
        if self == .shares { return TypedParameter(rawValue, .ullong(try guest.group.shares())) }
        // All of a kind are the same; a guest without any shows what holds for the whole of it.
        let bandwidth = try (groups(guest, runtime).first ?? guest.group).bandwidth()
        return TypedParameter(rawValue, isQuota ? .llong(bandwidth.quota) : .ullong(bandwidth.period))
    }

    /// Tells the kernel; 0 changes nothing, as in libvirt.
    ///
    /// - Returns: whether there was something to tell.
    func apply(_ value: TypedValue, to runtime: GuestRuntime) throws(VirtError) -> Bool {
        let guest = try runtime.requireCgroup(.cpu, "CPU")
        switch value {
        case .ullong(let shares) where self == .shares: try guest.group.setShares(shares)
        case .ullong(let period) where period != 0:
            for group in groups(guest, runtime) { try group.setBandwidth(period: period, quota: nil) }
        case .llong(let quota) where quota != 0:
            for group in groups(guest, runtime) { try group.setBandwidth(period: nil, quota: quota) }
        default: return false
        }
        return true
    }

    private func groups(_ guest: GuestCgroup, _ runtime: GuestRuntime) -> [Cgroup] {
        switch scope {
        case .guest: [guest.group]
        case .emulator: [guest.threads(.emulator)]
        case .vcpus:
            runtime.vcpus.indices.filter { runtime.vcpus[$0].thread != nil }.map { guest.threads(.vcpu($0)) }
        case .iothreads: runtime.ioThreads.map { guest.threads(.iothread($0.id)) }
        }
    }

    // MARK: Calls

    static func install(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainGetSchedulerType.self) { arguments, _ in
            _ = try registry.snapshot(arguments.dom)
            return .init(type: "posix", nparams: Int32(allCases.count))
        }
        table.on(RemoteProgram.DomainGetSchedulerParameters.self) { arguments, _ in
            let list = try read(registry.snapshot(arguments.dom), 0)
            return .init(params: TuningParameters.fit(list, arguments.nparams).params)
        }
        table.on(RemoteProgram.DomainGetSchedulerParametersFlags.self) { arguments, _ in
            let list = try read(registry.snapshot(arguments.dom), arguments.flags)
            return .init(params: TuningParameters.fit(list, arguments.nparams).params)
        }
        table.onChange(RemoteProgram.DomainSetSchedulerParametersFlags.self) { arguments, caller in
            try await registry.actor(arguments.dom).setScheduler(
                arguments.params, flags: arguments.flags, caller.client)
            return .init()
        }
    }

    private static func read(_ snapshot: DomainSnapshot, _ flags: UInt32) throws -> [TypedParameter] {
        let function = "qemuDomainGetSchedulerParametersFlags"
        try flags.checkFlags(ParameterFlags.mask, function)
        guard try ModificationImpact(flags & ModificationImpact.mask, snapshot).live else {
            let tuning = try TuningParameters.definition(snapshot, flags, function).cpuTuning
            return allCases.map { $0.value(in: tuning) }
        }
        let (_, runtime) = try snapshot.running()
        return try allCases.map { try $0.value(in: runtime) }
    }
}

extension DomainActor {
    /// virDomainSetSchedulerParametersFlags.
    fileprivate func setScheduler(_ list: [TypedParameter], flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainSetSchedulerParametersFlags")
        let parameters = try list.map { (try SchedulerParameter($0), $0.value) }
        var told: [TypedParameter] = []
        try await change("virDomainSetSchedulerParametersFlags", flags: flags, client) { _, runtime in
            for (parameter, value) in parameters where try parameter.apply(value, to: runtime) {
                told.append(TypedParameter("cputune.\(parameter.rawValue)", value))
            }
        } definition: { domain in
            for (parameter, value) in parameters { parameter.set(value, in: &domain.cpuTuning) }
        }
        if !told.isEmpty { emit(.tunable(told)) }
    }
}

extension GuestRuntime {
    /// The guest's control group, for a call that needs one of the kernel's controllers.
    ///
    /// - Throws: VIR_ERR_OPERATION_INVALID where the host does not have it.
    func requireCgroup(_ controller: Cgroup.Controller, _ name: String) throws(VirtError) -> GuestCgroup {
        guard let cgroup, cgroup.has(controller) else {
            throw VirtError(
                .operationInvalid, .qemu,
                controller == .blkio ? "blkio cgroup isn't mounted" : "cgroup \(name) controller is not mounted")
        }
        return cgroup
    }
}
