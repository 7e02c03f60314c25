import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// Single processors and I/O threads.
enum ThreadHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.onChange(RemoteProgram.DomainSetVcpu.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.setVCPU(
                arguments.cpumap, isOn: arguments.state != 0, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainPinIothread.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.pinIOThread(
                arguments.iothreadsId, ProcessorSet(bytes: arguments.cpumap), flags: arguments.flags, caller.client)
            return .init()
        }
        table.onChange(RemoteProgram.DomainSetIothreadParams.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.setIOThread(
                arguments.iothreadId, arguments.params, flags: arguments.flags, caller.client)
            return .init()
        }
    }
}

extension DomainActor {
    /// virDomainSetVcpu: processors one by one.
    func setVCPU(_ map: String, isOn: Bool, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainSetVcpu")
        guard let set = BitSet(parsing: map) else { throw BitSet.parseFailure(map) }
        guard let last = set.members.last else {
            throw VirtError(.invalidArg, .qemu, "no vcpus selected for modification")
        }
        let impact = try impact(flags)
        for (isMeant, domain, kind) in [(impact.live, live, "live"), (impact.config, config, "persistent")] {
            guard isMeant, let domain, last >= domain.vcpu.maximum else { continue }
            throw VirtError(.invalidArg, .qemu, "vcpu \(last) is not present in \(kind) config")
        }
        if impact.live, let live {
            if let same = set.members.first(where: { live.isOnline($0) == isOn }) {
                throw VirtError(.invalidArg, .qemu, "vcpu '\(same)' is already in requested state")
            }
            guard set.count == 1 else {
                throw VirtError(.operationUnsupported, .qemu, "only one hotpluggable entity can be selected")
            }
        }
        if impact.config { try config?.checkPersistent(set) }
        try await change("virDomainSetVcpu", flags: flags, client) { _, _ in
            try await self.switchVCPU(last, isOn: isOn)
        } definition: { domain in
            domain.setVCPUs(set, isOn: isOn)
        }
    }

    private func switchVCPU(_ number: UInt32, isOn: Bool) async throws {
        let slots = VCPUSlots(try await command("query-hotpluggable-cpus"))
        guard let slot = slots.slot(of: number) else {
            throw VirtError(.invalidArg, .qemu, "vcpu '\(number)' is not present in the domain")
        }
        if isOn {
            try await command(slot.plug.name, slot.plug.arguments)
        } else {
            guard let alias = slot.alias else {
                throw VirtError(.operationUnsupported, .qemu, "vcpu '\(number)' can't be unplugged")
            }
            try await command("device_del", ["id": .string(alias)])
            guard try await isUnplugged(alias) else {
                throw VirtError(
                    .operationTimeout, .qemu,
                    "vcpu unplug request timed out. Unplug result must be manually inspected in the domain")
            }
        }
        let answers = try await ask([QMPCommand("query-hotpluggable-cpus"), QMPCommand("query-cpus-fast")])
        let before = runtime
        adoptProcessors(hotpluggable: answers[0], running: answers[1])
        if let before { try await placeNewThreads(since: before) }
    }

    /// virDomainPinIOThread.
    func pinIOThread(_ id: UInt32, _ set: ProcessorSet, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainPinIOThread")
        let isLive = try impact(flags).live
        guard !set.isEmpty else { throw VirtError(.invalidArg, .qemu, "Empty iothread cpumap list for pinning") }
        let wanted = set.clamped
        try await change("virDomainPinIOThread", flags: flags, client) { _, runtime in
            guard let thread = runtime.ioThreads.first(where: { $0.id == id }) else {
                throw VirtError(.invalidArg, .qemu, "iothread \(id) not found")
            }
            try runtime.bind(.iothread(id), thread.thread, to: wanted)
        } definition: { domain in
            guard domain.iothreadIDs.contains(where: { $0.id == id }) else {
                throw VirtError(.invalidArg, .qemu, "iothread\(domain.id == nil ? "id" : "") \(id) not found")
            }
            var pin = CPUTuning.IOThreadPin()
            pin.iothread = id
            pin.cpuset = BitSet(wanted.processors.map { UInt32(clamping: $0) })
            domain.cpuTuning.iothreadPins.removeAll { $0.iothread == id }
            domain.cpuTuning.iothreadPins.append(pin)
            domain.cpuTuning.iothreadPins.sort { $0.iothread < $1.iothread }
        }
        if isLive { emit(.tunable([TypedParameter("cputune.iothreadpin\(id)", .string(wanted.description))])) }
    }

    /// virDomainSetIOThreadParams: how a thread of a running guest polls, and how many helpers each has.
    func setIOThread(
        _ id: UInt32, _ parameters: [TypedParameter], flags: UInt32, _ client: ClientHandle
    ) async throws {
        try flags.checkFlags(ParameterFlags.mask, "qemuDomainSetIOThreadParams")
        guard id > 0 else { throw VirtError(.invalidArg, .qemu, "invalid value of 0 for iothread_id") }
        let changes = try IOThreadChanges(parameters)
        try await change("virDomainSetIOThreadParams", flags: flags & ModificationImpact.mask, client) { _, _ in
            for (property, value) in changes.properties {
                try await self.command(
                    "qom-set",
                    ["path": .string("/objects/iothread\(id)"), "property": .string(property), "value": value])
            }
        } definition: { domain in
            try changes.apply(to: id, of: &domain)
        }
    }
}

/// The parameters of virDomainSetIOThreadParams.
private struct IOThreadChanges {
    private(set) var polling: [(property: String, value: JSONValue)] = []
    private(set) var poolMinimum: Int32?
    private(set) var poolMaximum: Int32?

    init(_ parameters: [TypedParameter]) throws(VirtError) {
        for parameter in parameters {
            switch (parameter.field, parameter.value) {
            case ("poll_max_ns", .ullong(let value)): polling.append(("poll-max-ns", .integer(value)))
            case ("poll_grow", .uint(let value)): polling.append(("poll-grow", .integer(value)))
            case ("poll_shrink", .uint(let value)): polling.append(("poll-shrink", .integer(value)))
            case ("thread_pool_min", .int(let value)): poolMinimum = value
            case ("thread_pool_max", .int(let value)): poolMaximum = value
            case ("poll_max_ns", _), ("poll_grow", _), ("poll_shrink", _), ("thread_pool_min", _),
                ("thread_pool_max", _):
                throw VirtError(.invalidArg, .none, "invalid type for parameter '\(parameter.field)'")
            default: throw VirtError(.argumentUnsupported, .none, "parameter '\(parameter.field)' not supported")
            }
        }
    }

    /// What QEMU is told. It refuses a minimum above the maximum, which therefore goes first.
    var properties: [(property: String, value: JSONValue)] {
        polling + (poolMaximum.map { [("thread-pool-max", .integer($0))] } ?? [])
            + (poolMinimum.map { [("thread-pool-min", .integer($0))] } ?? [])
    }

    func apply(to id: UInt32, of domain: inout Domain) throws(VirtError) {
        guard let index = domain.iothreadIDs.firstIndex(where: { $0.id == id }) else {
            throw VirtError(
                .invalidArg, .qemu, "cannot find IOThread '\(id)' in iothreadids")
        }
        let isLive = domain.id != nil
        guard isLive || polling.isEmpty else {
            throw VirtError(.operationUnsupported, .qemu, "configuring persistent polling values is not supported")
        }
        var thread = domain.iothreadIDs[index]
        thread.poolMinimum = poolMinimum ?? thread.poolMinimum
        thread.poolMaximum = poolMaximum ?? thread.poolMaximum
        let minimum = thread.poolMinimum ?? (isLive ? 0 : -1)
        let maximum = thread.poolMaximum ?? (isLive ? 64 : -1)
        guard minimum <= maximum else {
            throw VirtError(
                .operationInvalid, .qemu,
                "thread_pool_min (\(minimum)) can't be greater than thread_pool_max (\(maximum))")
        }
        domain.iothreadIDs[index] = thread
        guard poolMinimum != nil || poolMaximum != nil else { return }
        for index in domain.iothreadIDs.indices { domain.iothreadIDs[index].isExplicit = true }
    }
}

extension Domain {
    fileprivate func isOnline(_ number: UInt32) -> Bool {
        if let state = vcpuStates.first(where: { $0.id == number }) { return state.enabled }
        return number < onlineVCPUs
    }

    private func isHotpluggable(_ number: UInt32) -> Bool {
        vcpuStates.first { $0.id == number }?.hotpluggable ?? !isOnline(number)
    }

    /// Whether processors of a definition may be switched: those that must be there come first.
    func checkPersistent(_ set: BitSet) throws(VirtError) {
        guard !set.contains(0), let first = set.members.first else {
            throw VirtError(.invalidArg, .qemu, "vCPU '0' can't be modified")
        }
        for number in first..<max(first, min(vcpu.maximum, 16384))
        where !set.contains(number) && isOnline(number) && !isHotpluggable(number) {
            throw VirtError(
                .invalidArg, .qemu,
                "vcpu '\(first)' can't be modified as it is followed by non-hotpluggable online vcpus")
        }
    }

    /// Switches single processors; which ones are on is then part of the definition.
    mutating func setVCPUs(_ set: BitSet, isOn: Bool) {
        var states = (0..<min(vcpu.maximum, 16384)).map { number in
            var state = VCPUs.State()
            state.id = number
            state.enabled = set.contains(number) ? isOn : isOnline(number)
            state.hotpluggable = set.contains(number) || isHotpluggable(number)
            return state
        }
        if id != nil { orderLive(&states) }
        let online = UInt32(clamping: states.count(where: \.enabled))
        vcpu.current = online == vcpu.maximum ? nil : online
        vcpuStates = states
    }

    /// A guest's processors in the order in which they were plugged in.
    private func orderLive(_ states: inout [VCPUs.State]) {
        for index in states.indices where states[index].enabled {
            states[index].order = vcpuStates.first { $0.id == states[index].id && $0.enabled }?.order
        }
        var last = states.compactMap(\.order).max() ?? 0
        let older = states.indices.filter { isOnline(states[$0].id) }
        let newer = states.indices.filter { !isOnline(states[$0].id) }
        for index in older + newer where states[index].enabled && states[index].order == nil {
            last += 1
            states[index].order = last
        }
    }
}
