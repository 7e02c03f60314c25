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

    static func unknown(_ parameter: TypedParameter) -> VirtError {
        VirtError(.invalidArg, .none, "parameter '\(parameter.field)' not supported")
    }
}
