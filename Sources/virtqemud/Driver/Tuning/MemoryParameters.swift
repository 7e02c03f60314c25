import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// The limits of virDomainGetMemoryParameters, in KiB.
enum MemoryParameters {
    static func install(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainGetMemoryParameters.self) { arguments, _ in
            let tuning = try TuningParameters.definition(
                registry.snapshot(arguments.dom), arguments.flags, "qemuDomainGetMemoryParameters"
            ).memoryTuning
            let list = [
                TypedParameter("hard_limit", .ullong(tuning.hardLimit ?? Cgroup.unlimited)),
                TypedParameter("soft_limit", .ullong(tuning.softLimit ?? Cgroup.unlimited)),
                TypedParameter("swap_hard_limit", .ullong(tuning.swapHardLimit ?? Cgroup.unlimited)),
            ]
            let fitted = TuningParameters.fit(list, arguments.nparams)
            return .init(params: fitted.params, nparams: fitted.nparams)
        }
        table.onChange(RemoteProgram.DomainSetMemoryParameters.self) { arguments, caller in
            try await registry.actor(arguments.dom).setMemoryLimits(
                arguments.params, flags: arguments.flags, caller.client)
            return .init()
        }
    }
}

extension DomainActor {
    fileprivate func setMemoryLimits(_ list: [TypedParameter], flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainSetMemoryParameters")
        try await change("virDomainSetMemoryParameters", flags: flags, client) { domain, runtime in
            let group = try runtime.requireCgroup(.memory, "memory").group
            try group.setMemory(from: self.live?.memoryTuning ?? MemoryTuning(), to: domain.memoryTuning)
        } definition: { domain in
            for parameter in list { try domain.memoryTuning.set(parameter) }
            try domain.memoryTuning.checkOrder(list)
        }
    }
}

extension Cgroup {
    /// Sets what changes. The kernel never lets the limit of memory be above the one of memory and swap, so that the
    /// order depends on the direction.
    fileprivate func setMemory(from old: MemoryTuning, to new: MemoryTuning) throws(VirtError) {
        if new.softLimit != old.softLimit { try setMemory(soft: new.softLimit) }
        let isLowered = new.hardLimit ?? Self.unlimited < old.hardLimit ?? Self.unlimited
        if isLowered { try setMemory(hard: new.hardLimit) }
        if new.swapHardLimit != old.swapHardLimit { try setMemory(swap: new.swapHardLimit, hard: new.hardLimit) }
        if !isLowered, new.hardLimit != old.hardLimit { try setMemory(hard: new.hardLimit) }
    }
}

extension MemoryTuning {
    fileprivate mutating func set(_ parameter: TypedParameter) throws(VirtError) {
        guard case .ullong(let value) = parameter.value else { throw TuningParameters.unknown(parameter) }
        let limit = value >= Cgroup.unlimited ? nil : value
        switch parameter.field {
        case "hard_limit": hardLimit = limit
        case "soft_limit": softLimit = limit
        case "swap_hard_limit": swapHardLimit = limit
        default: throw TuningParameters.unknown(parameter)
        }
    }

    fileprivate func checkOrder(_ changed: [TypedParameter]) throws(VirtError) {
        guard changed.contains(where: { $0.field != "soft_limit" }) else { return }
        guard hardLimit ?? Cgroup.unlimited <= swapHardLimit ?? Cgroup.unlimited else {
            throw VirtError(
                .invalidArg, .domain,
                "memory hard_limit tunable value must be lower than or equal to swap_hard_limit")
        }
    }
}
