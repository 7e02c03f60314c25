import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// Single processors and I/O threads.
enum ThreadHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.onAsync(RemoteProgram.DomainSetVcpu.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.setVCPU(
                arguments.cpumap, isOn: arguments.state != 0, flags: arguments.flags, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainPinIothread.self) { arguments, caller in
            let actor = try registry.actor(arguments.dom)
            try await actor.pinIOThread(
                arguments.iothreadsId, ProcessorSet(bytes: arguments.cpumap), flags: arguments.flags, caller.client)
            return .init()
        }
        table.onAsync(RemoteProgram.DomainSetIothreadParams.self) { arguments, caller in
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
        guard let set = BitSet(parsing: map), !set.isEmpty else {
            throw VirtError(.invalidArg, .qemu, "no vcpus selected for modification")
        }
        if try impact(flags).live, set.count > 1 {
            throw VirtError(.operationUnsupported, .qemu, "only one hotpluggable entity can be selected")
        }
        try await change("virDomainSetVcpu", flags: flags, client) { _, _ in
            try await self.switchVCPU(set.members.first ?? 0, isOn: isOn)
        } definition: { domain in
            try domain.setVCPUs(set, isOn: isOn)
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
        guard !set.isEmpty else { throw VirtError(.invalidArg, .qemu, "Empty iothread cpumap list for pinning") }
        let wanted = set.clamped
        let isLive = try impact(flags).live
        try await change("virDomainPinIOThread", flags: flags, client) { _, runtime in
            guard let thread = runtime.ioThreads.first(where: { $0.id == id }) else {
                throw VirtError(.invalidArg, .qemu, "iothread \(id) not found")
            }
            try runtime.bind(.iothread(id), thread.thread, to: wanted)
        } definition: { domain in
            try domain.requireIOThread(id)
            var pin = CPUTuning.IOThreadPin()
            pin.iothread = id
            pin.cpuset = BitSet(wanted.processors.map { UInt32(clamping: $0) })
            domain.cpuTuning.iothreadPins.removeAll { $0.iothread == id }
            domain.cpuTuning.iothreadPins.append(pin)
            domain.cpuTuning.iothreadPins.sort { $0.iothread < $1.iothread }
        }
        if isLive { emit(.tunable([TypedParameter("cputune.iothreadpin\(id)", .string(wanted.description))])) }
    }

    private static let pollProperties = [
        "poll_max_ns": "poll-max-ns", "poll_grow": "poll-grow", "poll_shrink": "poll-shrink",
    ]

    /// virDomainSetIOThreadParams: how a thread of a running guest polls.
    func setIOThread(
        _ id: UInt32, _ parameters: [TypedParameter], flags: UInt32, _ client: ClientHandle
    ) async throws {
        try flags.checkFlags(ParameterFlags.mask, "qemuDomainSetIOThreadParams")
        guard id > 0 else { throw VirtError(.invalidArg, .qemu, "invalid value of 0 for iothread_id") }
        let impact = try impact(flags & ModificationImpact.mask)
        guard !impact.config else {
            throw VirtError(.operationUnsupported, .qemu, "configuring persistent polling values is not supported")
        }
        try await change("virDomainSetIOThreadParams", flags: flags & ModificationImpact.mask, client) { domain, _ in
            try domain.requireIOThread(id)
            for parameter in parameters {
                guard let property = Self.pollProperties[parameter.field] else {
                    throw VirtError(.argumentUnsupported, .none, "parameter '\(parameter.field)' not supported")
                }
                let value: JSONValue
                switch parameter.value {
                case .ullong(let number): value = .integer(number)
                case .uint(let number): value = .integer(number)
                case .int, .llong, .double, .boolean, .string:
                    throw VirtError(.invalidArg, .none, "invalid type for parameter '\(parameter.field)'")
                }
                try await self.command(
                    "qom-set",
                    ["path": .string("/objects/iothread\(id)"), "property": .string(property), "value": value])
            }
        } definition: { _ in
        }
    }
}

extension Domain {
    fileprivate func requireIOThread(_ id: UInt32) throws(VirtError) {
        guard iothreadIDs.contains(where: { $0.id == id }) else {
            throw VirtError(.invalidArg, .qemu, "cannot find IOThread '\(id)' in IOThread list")
        }
    }

    private func isOnline(_ number: UInt32) -> Bool {
        if let state = vcpuStates.first(where: { $0.id == number }) { return state.enabled }
        return number < onlineVCPUs
    }

    /// Switches single processors; which ones are on is then part of the definition.
    mutating func setVCPUs(_ set: BitSet, isOn: Bool) throws(VirtError) {
        for number in set.members {
            guard number < vcpu.maximum else {
                throw VirtError(.invalidArg, .qemu, "vcpu '\(number)' is not present in the domain")
            }
            guard isOnline(number) != isOn else {
                throw VirtError(.invalidArg, .qemu, "vcpu '\(number)' is already in requested state")
            }
            guard number > 0 || isOn else {
                throw VirtError(.invalidArg, .qemu, "vCPU '0' must be always enabled")
            }
        }
        let states = (0..<min(vcpu.maximum, 16384)).map { number in
            var state = VCPUs.State()
            state.id = number
            state.enabled = set.contains(number) ? isOn : isOnline(number)
            let known = vcpuStates.first { $0.id == number }
            state.hotpluggable = known?.hotpluggable ?? (set.contains(number) || !state.enabled)
            state.order = known?.order
            return state
        }
        let online = UInt32(clamping: states.count(where: \.enabled))
        vcpu.current = online == vcpu.maximum ? nil : online
        vcpuStates = online == vcpu.maximum ? [] : states
    }
}
