import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtXML

/// Changes of numbers: memory, processors, pins, texts. Each to the running guest, the definition, or both.
extension DomainActor {
    /// Runs a change under a job: on the guest first, then on its live definition and on the persistent one.
    func change(
        _ api: String, flags: UInt32, _ client: ClientHandle, guest: (Domain, GuestRuntime) async throws -> Void,
        definition: (inout Domain) throws -> Void
    ) async throws {
        _ = try ModificationImpact(flags, isActive: runtime != nil, isPersistent: isPersistent)
        try await withJob(.modify, api, client: client.id) {
            let impact = try ModificationImpact(
                flags, isActive: self.runtime != nil, isPersistent: self.isPersistent)
            if impact.live, var domain = self.live, let runtime = self.runtime {
                try definition(&domain)
                try await guest(domain, runtime)
                // What QEMU reported meanwhile counts too: the change is made on what is there now.
                if var now = self.live {
                    try definition(&now)
                    self.live = now
                }
                await self.saveStatus()
            }
            if impact.config { try await self.changeConfig(definition) }
        }
    }

    /// virDomainPinVcpuFlags.
    func pin(vcpu: UInt32, _ set: ProcessorSet, flags: UInt32, _ client: ClientHandle) async throws {
        let impact = try impact(flags)
        func outOfRange(_ kind: String, _ count: UInt32) -> VirtError {
            VirtError(.invalidArg, .qemu, "vcpu \(vcpu) is out of range of \(kind) cpu count \(count)")
        }
        if impact.config, let config, vcpu >= config.vcpu.maximum {
            throw outOfRange("persistent", config.onlineVCPUs)
        }
        guard !set.isEmpty else { throw VirtError(.invalidArg, .qemu, "Empty cpu list for pinning") }
        if impact.live, let live, vcpu >= live.vcpu.maximum { throw outOfRange("live", live.vcpu.maximum) }
        let wanted = set.clamped
        try await change("virDomainPinVcpuFlags", flags: flags, client) { domain, runtime in
            guard runtime.vcpus.indices.contains(Int(vcpu)), let thread = runtime.vcpus[Int(vcpu)].thread else {
                throw outOfRange("live", domain.vcpu.maximum)
            }
            try runtime.bind(.vcpu(Int(vcpu)), thread, to: wanted)
        } definition: { domain in
            domain.cpuTuning.vcpuPins.removeAll { $0.vcpu == vcpu }
            var pin = CPUTuning.VCPUPin()
            pin.vcpu = vcpu
            pin.cpuset = BitSet(wanted.processors.map { UInt32(clamping: $0) })
            domain.cpuTuning.vcpuPins.append(pin)
            domain.cpuTuning.vcpuPins.sort { $0.vcpu < $1.vcpu }
        }
        if impact.live { emit(.tunable([TypedParameter("cputune.vcpupin\(vcpu)", .string(wanted.description))])) }
    }

    /// virDomainPinEmulator.
    func pinEmulator(_ set: ProcessorSet, flags: UInt32, _ client: ClientHandle) async throws {
        let impact = try impact(flags)
        guard !set.isEmpty else { throw VirtError(.invalidArg, .qemu, "Empty cpu list for pinning") }
        let wanted = set.clamped
        try await change("virDomainPinEmulator", flags: flags, client) { _, runtime in
            try runtime.bind(.emulator, runtime.pid, to: wanted)
        } definition: { domain in
            domain.cpuTuning.emulatorPin = BitSet(wanted.processors.map { UInt32(clamping: $0) })
        }
        if impact.live { emit(.tunable([TypedParameter("cputune.emulatorpin", .string(wanted.description))])) }
    }

    /// virDomainSetMemoryFlags: VIR_DOMAIN_MEM_MAXIMUM is 4.
    func setMemory(_ kibibytes: UInt64, flags: UInt32, _ api: String, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask | 4, "qemuDomainSetMemoryFlags")
        if flags & 4 != 0 { return try await setMaximumMemory(kibibytes, flags & 3, api, client) }
        let bytes = kibibytes.multipliedReportingOverflow(by: 1024)
        guard !bytes.overflow else { throw VirtError(.overflow, .qemu, "memory size is too large") }
        try await change(api, flags: flags & 3, client) { domain, _ in
            guard domain.hasBalloon else {
                throw VirtError(
                    .operationInvalid, .qemu,
                    "Unable to change memory of active domain without the balloon device and guest OS balloon driver")
            }
            _ = try await self.command("balloon", ["value": .integer(bytes.partialValue)])
        } definition: { domain in
            guard kibibytes <= domain.maximumMemoryKibibytes else {
                throw VirtError(.invalidArg, .qemu, "cannot set memory higher than max memory")
            }
            if self.runtime == nil || domain.id == nil { domain.currentMemory = kibibytes }
        }
    }

    private func setMaximumMemory(
        _ kibibytes: UInt64, _ flags: UInt32, _ api: String, _ client: ClientHandle
    ) async throws {
        let impact = try ModificationImpact(flags, isActive: runtime != nil, isPersistent: isPersistent)
        guard !impact.live else {
            throw VirtError(
                .operationInvalid, .qemu, "cannot resize the maximum memory on an active domain")
        }
        try await change(api, flags: flags, client) { _, _ in
        } definition: { domain in
            if domain.cpu?.numa?.cells.isEmpty == false {
                throw VirtError(
                    .operationInvalid, .qemu,
                    "initial memory size of a domain with NUMA nodes cannot be modified with this API")
            }
            domain.memory.size = kibibytes
            if domain.currentMemoryKibibytes > kibibytes { domain.currentMemory = kibibytes }
        }
    }

    /// virDomainSetMemoryStatsPeriod.
    func setStatisticsPeriod(_ seconds: Int32, flags: UInt32, _ client: ClientHandle) async throws {
        guard seconds >= 0 else {
            throw VirtError(.invalidArg, .qemu, "invalid value for collection period '\(seconds)'")
        }
        try flags.checkFlags(ModificationImpact.mask, "qemuDomainSetMemoryStatsPeriod")
        try await change("virDomainSetMemoryStatsPeriod", flags: flags, client) { domain, _ in
            guard let path = domain.balloonPath else {
                throw VirtError(
                    .operationInvalid, .qemu,
                    "No memory balloon device configured, can not set the collection period")
            }
            let arguments: JSONValue = [
                "path": .string(path), "property": "guest-stats-polling-interval", "value": .integer(seconds),
            ]
            _ = try await self.command("qom-set", arguments)
        } definition: { domain in
            guard domain.devices.memballoon != nil else {
                throw VirtError(
                    .operationInvalid, .qemu,
                    "No memory balloon device configured, can not set the collection period")
            }
            domain.devices.memballoon?.statsPeriod = seconds == 0 ? nil : seconds
        }
    }

    /// A command to the guest's QEMU, of a call that holds the job.
    @discardableResult
    func command(_ name: String, _ arguments: JSONValue? = nil) async throws -> JSONValue {
        guard let monitor = runtime?.monitor else {
            throw VirtError(.operationInvalid, .domain, "domain is not running")
        }
        return try await monitor.execute(name, arguments, timeout: MonitorTimeout.standard)
    }
}

extension GuestRuntime {
    /// Binds a thread, and the group that it is in, to processors.
    func bind(_ threads: GuestCgroup.Threads, _ thread: Int32, to processors: ProcessorSet) throws(VirtError) {
        if let cgroup, cgroup.has(.cpuset) { try cgroup.threads(threads).setProcessors(processors.description) }
        try processors.apply(to: thread)
    }
}

extension ProcessorSet {
    /// Without processors that the host does not have.
    var clamped: ProcessorSet {
        let count = Self.hostCount
        return ProcessorSet(processors.filter { $0 < count }, count: count)
    }
}
