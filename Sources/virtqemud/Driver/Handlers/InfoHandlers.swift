import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// What a domain is and does, answered from snapshots and the kernel's counters.
enum InfoHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        installStates(into: &table, registry)
        installSizes(into: &table, registry)
        installSecurity(into: &table, driver)
    }

    private static func installStates(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainGetInfo.self) { arguments, _ in
            try info(registry.snapshot(arguments.dom))
        }
        table.on(RemoteProgram.DomainGetState.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainGetState")
            let state = try registry.snapshot(arguments.dom).state
            return .init(state: state.kind.rawValue, reason: state.reason)
        }
        table.on(RemoteProgram.DomainGetControlInfo.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainGetControlInfo")
            return try controlInfo(registry.snapshot(arguments.dom))
        }
        table.on(RemoteProgram.DomainGetOsType.self) { arguments, _ in
            .init(type: try registry.snapshot(arguments.dom).summary().osType)
        }
        table.on(RemoteProgram.DomainGetMessages.self) { arguments, _ in
            .init(msgs: try messages(registry.snapshot(arguments.dom), arguments.flags))
        }
    }

    static func info(_ domain: DomainSnapshot) throws -> RemoteDomainGetInfoRet {
        let definition = try domain.summary()
        var time: UInt64 = 0
        if let pid = domain.runtime?.pid, pid > 0 { time = ProcessStatistics.read(pid: pid)?.total ?? 0 }
        return RemoteDomainGetInfoRet(
            state: UInt8(clamping: domain.state.kind.rawValue), maxMem: definition.maximumMemory,
            memory: definition.currentMemory, nrVirtCpu: UInt16(clamping: definition.onlineVCPUs),
            cpuTime: time)
    }

    /// virDomainControlState: ok, job, occupied, error.
    static func controlInfo(_ domain: DomainSnapshot) throws -> RemoteDomainGetControlInfoRet {
        guard let runtime = domain.runtime else {
            throw VirtError(.operationInvalid, .domain, "domain is not running")
        }
        if runtime.monitor == nil { return .init(state: 3, details: 2, stateTime: 0) }
        guard let job = domain.job else { return .init(state: 0, details: 0, stateTime: 0) }
        let age = UInt64(max(0, (MonotonicTime.now() - job.since).wholeMilliseconds))
        return .init(state: 1, details: 0, stateTime: age)
    }

    /// VIR_DOMAIN_MESSAGE_DEPRECATION (1) and VIR_DOMAIN_MESSAGE_TAINTING (2).
    static func messages(_ domain: DomainSnapshot, _ flags: UInt32) throws -> [String] {
        try flags.checkFlags(3, "qemuDomainGetMessages")
        guard flags == 0 || flags & 2 != 0, let runtime = domain.runtime else { return [] }
        return GuestRuntime.Taint.allCases.filter(runtime.taints.contains).map { "tainted: \($0.message)" }
    }

    private static func installSizes(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainGetMaxMemory.self) { arguments, _ in
            .init(memory: try registry.snapshot(arguments.dom).summary().maximumMemory)
        }
        table.on(RemoteProgram.DomainGetMaxVcpus.self) { arguments, _ in
            .init(num: try vcpuCount(registry.snapshot(arguments.dom), ModificationImpact.liveFlag | 4))
        }
        table.on(RemoteProgram.DomainGetVcpusFlags.self) { arguments, _ in
            .init(num: try vcpuCount(registry.snapshot(arguments.dom), arguments.flags))
        }
    }

    /// VIR_DOMAIN_VCPU_MAXIMUM is 4, VIR_DOMAIN_VCPU_GUEST 8, VIR_DOMAIN_VCPU_HOTPLUGGABLE 16.
    static func vcpuCount(_ domain: DomainSnapshot, _ flags: UInt32) throws -> Int32 {
        try flags.checkFlags(ModificationImpact.mask | 12, "qemuDomainGetVcpusFlags")
        if flags & 8 != 0, !domain.isActive {
            throw VirtError(
                .invalidArg, .qemu,
                "vCPU count provided by the guest agent can only be requested for live domains")
        }
        let impact = try ModificationImpact(flags, domain)
        if flags & 8 != 0 { throw AgentRules.refusal(domain) }
        let definition = impact.live ? try domain.summary() : try domain.persistentSummary()
        return Int32(clamping: flags & 4 != 0 ? definition.maximumVCPUs : definition.onlineVCPUs)
    }

    private static func installSecurity(into table: inout HandlerTable, _ driver: QEMUDriver) {
        let registry = driver.registry
        table.on(RemoteProgram.DomainGetSecurityLabel.self) { arguments, _ in
            _ = try registry.snapshot(arguments.dom)
            return .init(label: [], enforcing: 0)
        }
        table.on(RemoteProgram.DomainGetSecurityLabelList.self) { arguments, _ in
            let domain = try registry.snapshot(arguments.dom)
            guard domain.isActive, !driver.paths.isSession else { return .init(labels: [], ret: 0) }
            let text = driver.configuration.dacLabel
            let label = Array(text.utf8).map { Int8(bitPattern: $0) } + [0]
            return .init(labels: [.init(label: label, enforcing: 0)], ret: 1)
        }
        table.on(RemoteProgram.NodeGetSecurityModel.self) { _, _ in
            func text(_ word: String) -> [Int8] { Array(word.utf8CString) }
            return .init(model: text("none"), doi: text("0"))
        }
    }
}

extension DriverConfiguration {
    /// "+64055:+64055": who QEMU runs as, in the DAC model's words.
    var dacLabel: String { "+\(uid):+\(gid)" }
}

extension GuestRuntime.Taint {
    /// The text that `dominfo` shows.
    var message: String {
        switch self {
        case .customArgv: "passing custom arguments to the emulator"
        case .customMonitor: "custom monitor control commands issued"
        case .highPrivileges: "running with undesirable elevated privileges"
        case .shellScripts: "network configuration using opaque shell scripts"
        case .diskProbing: "potentially unsafe disk format probing"
        case .externalLaunch: "managing externally launched configuration"
        case .hostCPU: "potentially unsafe use of host CPU passthrough"
        case .hookScript: "configuration potentially modified by hook script"
        case .cdromPassthrough: "use of host cdrom passthrough"
        case .customDTB: "custom device tree blob used"
        case .customGAFile: "custom guest agent control commands issued"
        case .customHypervisorFeature: "hypervisor feature autodetection override"
        case .deprecatedConfig: "use of deprecated configuration settings"
        }
    }
}

/// Calls that the guest agent answers.
enum AgentRules {
    /// The error for such a call: this driver does not talk to agents.
    static func refusal(_ snapshot: DomainSnapshot) -> VirtError {
        guard snapshot.state.kind == .running, let domain = try? snapshot.running().domain else {
            return VirtError(.operationInvalid, .qemu, "domain is not running")
        }
        guard domain.hasAgentChannel else {
            return VirtError(.argumentUnsupported, .qemu, "QEMU guest agent is not configured")
        }
        guard domain.isAgentConnected else {
            return VirtError(.agentUnresponsive, .qemu, "QEMU guest agent is not connected")
        }
        return VirtError(.operationUnsupported, .qemu, "guest agent commands")
    }
}
