import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// The host nodes of virDomainGetNumaParameters.
enum NUMAParameters {
    static func install(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainGetNumaParameters.self) { arguments, _ in
            let tuning = try TuningParameters.definition(
                registry.snapshot(arguments.dom), arguments.flags, "qemuDomainGetNumaParameters", isOne: true
            ).numaTuning
            let mode = NUMATuning.Mode.numbered.firstIndex(of: tuning.mode ?? .strict) ?? 0
            let list = [
                TypedParameter("numa_mode", .int(Int32(mode))),
                TypedParameter("numa_nodeset", .string(tuning.nodeset?.description ?? "")),
            ]
            let fitted = TuningParameters.fit(list, arguments.nparams)
            return .init(params: fitted.params, nparams: fitted.nparams)
        }
        table.onChange(RemoteProgram.DomainSetNumaParameters.self) { arguments, caller in
            try await registry.actor(arguments.dom).setNUMA(arguments.params, flags: arguments.flags, caller.client)
            return .init()
        }
    }
}

extension DomainActor {
    fileprivate func setNUMA(_ list: [TypedParameter], flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainSetNumaParameters")
        try await change("virDomainSetNumaParameters", flags: flags, client) { domain, runtime in
            let group = try runtime.requireCgroup(.cpuset, "cpuset")
            let (old, new) = (self.live?.numaTuning ?? NUMATuning(), domain.numaTuning)
            if list.contains(where: { $0.field == "numa_mode" }), let mode = old.mode, mode != new.mode {
                throw VirtError(.operationInvalid, .qemu, "can't change numatune mode for running domain")
            }
            guard list.contains(where: { $0.field == "numa_nodeset" }), let nodes = new.nodeset else { return }
            guard old.mode ?? .strict == .strict || old.mode == .restrictive else {
                throw VirtError(
                    .operationInvalid, .qemu,
                    "change of nodeset for running domain requires strict numa mode")
            }
            for threads in runtime.threadGroups { try group.threads(threads).setMemoryNodes(nodes.description) }
        } definition: { domain in
            for parameter in list { try domain.numaTuning.set(parameter) }
        }
    }
}

extension GuestRuntime {
    /// The groups that the guest's threads are in.
    var threadGroups: [GuestCgroup.Threads] {
        [.emulator] + vcpus.indices.filter { vcpus[$0].thread != nil }.map { .vcpu($0) }
            + ioThreads.map { .iothread($0.id) }
    }
}

extension NUMATuning.Mode {
    /// virDomainNumatuneMemMode.
    fileprivate static let numbered: [Self] = [.strict, .preferred, .interleave, .restrictive]
}

extension NUMATuning {
    fileprivate mutating func set(_ parameter: TypedParameter) throws(VirtError) {
        switch (parameter.field, parameter.value) {
        case ("numa_mode", .int(let value)):
            guard Mode.numbered.indices.contains(Int(value)) else {
                throw VirtError(.invalidArg, .qemu, "unsupported numatune mode: '\(value)'")
            }
            mode = Mode.numbered[Int(value)]
        case ("numa_nodeset", .string(let text)):
            guard let set = BitSet(parsing: text), !text.isEmpty else { throw BitSet.parseFailure(text) }
            guard !set.isEmpty else {
                throw VirtError(.operationInvalid, .qemu, "Invalid nodeset of 'numatune': \(text)")
            }
            nodeset = set
            if mode == nil { mode = .strict }
            placement = nil
        default: throw TuningParameters.unknown(parameter)
        }
    }
}
