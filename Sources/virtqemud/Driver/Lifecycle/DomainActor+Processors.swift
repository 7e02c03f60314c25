import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC

/// Numbers of processors and I/O threads.
extension DomainActor {
    /// virDomainSetVcpusFlags: VIR_DOMAIN_VCPU_MAXIMUM is 4, _GUEST 8, _HOTPLUGGABLE 16.
    func setVCPUs(_ count: UInt32, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(31, "qemuDomainSetVcpusFlags")
        guard count > 0 else { throw VirtError(.invalidArg, .domain, "Can't set 0 processors for a VM") }
        if flags & 8 != 0 { throw AgentRules.refusal(makeSnapshot()) }
        let impact = try ModificationImpact(flags & 3, isActive: runtime != nil, isPersistent: isPersistent)
        if flags & 4 != 0 { return try await setMaximumVCPUs(count, impact, flags & 3, client) }
        if impact.live { try check(count, live, "live") }
        if impact.config { try check(count, config, "persistent") }
        try await change("virDomainSetVcpusFlags", flags: flags & 3, client) { domain, runtime in
            try await self.plugProcessors(Int(count), runtime)
        } definition: { domain in
            domain.vcpu.current = count == domain.vcpu.maximum ? nil : count
        }
    }

    private func check(_ count: UInt32, _ domain: Domain?, _ kind: String) throws {
        guard let domain, count > domain.vcpu.maximum else { return }
        throw VirtError(
            .invalidArg, .qemu,
            "requested vcpus is greater than max allowable vcpus for the \(kind) domain: \(count) > \(domain.vcpu.maximum)"
        )
    }

    private func setMaximumVCPUs(
        _ count: UInt32, _ impact: ModificationImpact, _ flags: UInt32, _ client: ClientHandle
    ) async throws {
        guard !impact.live else {
            throw VirtError(
                .invalidArg, .qemu, "maximum vcpu count of a live domain can't be modified")
        }
        try await change("virDomainSetVcpusFlags", flags: flags, client, guest: { _, _ in }) { domain in
            let inNodes = domain.cpu?.numa?.cells.reduce(0) { $0 + ($1.cpus?.count ?? 0) } ?? 0
            guard inNodes <= Int(count) else {
                throw VirtError(
                    .invalidArg, .qemu, "Number of CPUs in <numa> exceeds the desired maximum vcpu count")
            }
            if let topology = domain.cpu?.topology {
                let total = [topology.dies, topology.cores, topology.threads].reduce(topology.sockets) { $0 &* $1 }
                guard total == count else {
                    throw VirtError(
                        .invalidArg, .qemu, "CPU topology doesn't match the desired vcpu count")
                }
            }
            let current = domain.onlineVCPUs
            domain.vcpu.maximum = count
            domain.vcpu.current = current >= count ? nil : current
        }
    }

    /// Plugs processors in or asks for them back until so many are on.
    private func plugProcessors(_ count: Int, _ runtime: GuestRuntime) async throws {
        let slots = try await command("query-hotpluggable-cpus").array ?? []
        let online = runtime.vcpus.filter(\.isOnline).count
        guard count >= online else {
            throw VirtError(.operationUnsupported, .qemu, "unplug of processors is not supported")
        }
        // QEMU lists the last slot first.
        let free = slots.reversed().filter { $0["qom-path"] == nil }
        guard free.count >= count - online else {
            throw VirtError(
                .operationInvalid, .qemu,
                "failed to find appropriate hotpluggable vcpus to reach the desired target vcpu count")
        }
        for (offset, slot) in free.prefix(count - online).enumerated() {
            var arguments: JSONObject = [
                "driver": slot["type"] ?? .null, "id": .string("vcpu\(online + offset)"),
            ]
            for member in slot["props"]?.object?.members ?? [] { arguments[member.key] = member.value }
            try await command("device_add", .object(arguments))
        }
        try await refreshProcessors()
    }

    private func refreshProcessors() async throws {
        let answers = try await ask([QMPCommand("query-hotpluggable-cpus"), QMPCommand("query-cpus-fast")])
        let before = runtime
        adoptProcessors(hotpluggable: answers[0], running: answers[1])
        if let before { try await placeNewThreads(since: before) }
    }

    /// virDomainAddIOThread.
    func addThread(_ id: UInt32, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainAddIOThread")
        guard id > 0 else { throw VirtError(.invalidArg, .qemu, "invalid value of 0 for iothread_id") }
        try await change("virDomainAddIOThread", flags: flags, client) { _, _ in
            try await self.command("object-add", ["qom-type": "iothread", "id": .string("iothread\(id)")])
            try await self.refreshThreads()
        } definition: { domain in
            guard !domain.iothreadIDs.contains(where: { $0.id == id }) else {
                throw VirtError(.invalidArg, .domain, "an IOThread is already using iothread_id '\(id)'")
            }
            domain.iothreadIDs.append(IOThread(id: id, isExplicit: true))
            domain.iothreads = UInt32(clamping: domain.iothreadIDs.count)
        }
    }

    /// virDomainDelIOThread.
    func removeThread(_ id: UInt32, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainDelIOThread")
        try await change("virDomainDelIOThread", flags: flags, client) { _, _ in
            try await self.command("object-del", ["id": .string("iothread\(id)")])
            try await self.refreshThreads()
        } definition: { domain in
            guard domain.iothreadIDs.contains(where: { $0.id == id }) else {
                throw VirtError(.invalidArg, .domain, "cannot find IOThread '\(id)' in iothreadids list")
            }
            guard !domain.usesThread(id) else {
                throw VirtError(
                    .invalidArg, .qemu, "cannot remove IOThread \(id) since it is being used by disk or controller")
            }
            domain.iothreadIDs.removeAll { $0.id == id }
            for index in domain.iothreadIDs.indices { domain.iothreadIDs[index].isExplicit = true }
            domain.iothreads = domain.iothreadIDs.isEmpty ? nil : UInt32(clamping: domain.iothreadIDs.count)
            domain.cpuTuning.iothreadPins.removeAll { $0.iothread == id }
        }
    }

    private func refreshThreads() async throws {
        let answer = try await command("query-iothreads")
        let before = runtime
        adoptIOThreads(answer)
        if let before { try await placeNewThreads(since: before) }
    }
}

extension Domain {
    /// Whether a disk or controller works in an I/O thread.
    fileprivate func usesThread(_ id: UInt32) -> Bool {
        devices.disks.contains { $0.driver?.iothread == id }
            || devices.controllers.contains { $0.driver?.iothread == id }
    }
}
