import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// The tunables that travel as typed parameters.
enum TuningParameters {
    static func install(into table: inout HandlerTable, _ registry: DomainRegistry) {
        SchedulerParameter.install(into: &table, registry)
        MemoryParameters.install(into: &table, registry)
        BlockIOParameter.install(into: &table, registry)
        NUMAParameters.install(into: &table, registry)
        table.on(RemoteProgram.DomainGetPerfEvents.self) { arguments, _ in
            let domain = try definition(
                registry.snapshot(arguments.dom), arguments.flags, "qemuDomainGetPerfEvents", isOne: true)
            return .init(
                params: PerformanceEvent.names.map { name in
                    let isOn = domain.performanceEvents.contains { $0.name == name && $0.enabled }
                    return TypedParameter(name, .boolean(isOn))
                })
        }
        table.onChange(RemoteProgram.DomainSetPerfEvents.self) { arguments, caller in
            try arguments.flags.checkFlags(ModificationImpact.mask, "qemuDomainSetPerfEvents")
            let changes = try arguments.params.map { parameter in
                guard case .boolean(let isOn) = parameter.value, PerformanceEvent.names.contains(parameter.field)
                else { throw unknown(parameter) }
                return (name: parameter.field, isOn: isOn)
            }
            try await registry.actor(arguments.dom).change(
                "virDomainSetPerfEvents", flags: arguments.flags, caller.client
            ) { _, _ in
                guard let wanted = changes.first(where: \.isOn) else { return }
                throw VirtError(
                    .argumentUnsupported, .perf, "unable to enable host cpu perf event for \(wanted.name)")
            } definition: { domain in
                for change in changes { domain.set(performanceEvent: change.name, change.isOn) }
            }
            return .init()
        }
    }

    /// The definition that a call's flags mean. With `isOne` it refuses both at once; without, the guest's counts then.
    static func definition(
        _ snapshot: DomainSnapshot, _ flags: UInt32, _ function: String, isOne: Bool = false
    ) throws -> Domain {
        try flags.checkFlags(ParameterFlags.mask, function)
        if isOne, flags & ModificationImpact.mask == ModificationImpact.mask {
            throw VirtError(
                code: .invalidArg, domain: .domain,
                verbatim: "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive")
        }
        let impact = try ModificationImpact(flags & ModificationImpact.mask, snapshot)
        return impact.live ? try snapshot.current() : try snapshot.persistent()
    }

    /// As many as a client has room for; none and their count when it asks how many there are.
    static func fit(_ list: [TypedParameter], _ room: Int32) -> (params: [TypedParameter], nparams: Int32) {
        guard room > 0 else { return ([], Int32(clamping: list.count)) }
        let shown = Array(list.prefix(Int(room)))
        return (shown, Int32(clamping: shown.count))
    }

    static func unknown(_ parameter: TypedParameter) -> VirtError {
        VirtError(.invalidArg, .none, "parameter '\(parameter.field)' not supported")
    }
}

extension Domain {
    /// Events are in the order of their names' list.
    fileprivate mutating func set(performanceEvent name: String, _ isOn: Bool) {
        var event = PerformanceEvent()
        event.name = name
        event.enabled = isOn
        performanceEvents = PerformanceEvent.names.compactMap { each in
            each == name ? event : performanceEvents.first { $0.name == each }
        }
    }
}
