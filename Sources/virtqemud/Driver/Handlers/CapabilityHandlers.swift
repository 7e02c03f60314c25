import QEMUCommand
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// What the host and its emulators can do, in documents and lists; the command line of a guest.
enum CapabilityHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        table.onAsync(RemoteProgram.ConnectGetCapabilities.self) { _, _ in
            .init(capabilities: try await capabilities(driver).format())
        }
        table.onAsync(RemoteProgram.ConnectGetDomainCapabilities.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuConnectGetDomainCapabilities")
            return .init(capabilities: try await domainCapabilities(arguments, driver).format())
        }
        table.onAsync(RemoteProgram.ConnectGetCpuModelNames.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuConnectGetCPUModelNames")
            let names = try await modelNames(arguments.arch)
            return .init(models: arguments.needResults != 0 ? names : [], ret: Int32(clamping: names.count))
        }
        table.onAsync(RemoteProgram.NodeGetSevInfo.self) { arguments, _ in
            try arguments.flags.checkFlags(4, "qemuNodeGetSEVInfo")
            return try await encryption(arguments.nparams, driver)
        }
        table.on(RemoteProgram.ConnectGetSysinfo.self) { _, _ in
            throw VirtError(.configUnsupported, .qemu, "Host SMBIOS information is not available")
        }
        table.onAsync(RemoteProgram.ConnectDomainXmlToNative.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuConnectDomainXMLToNative")
            return .init(nativeConfig: try await NativeConversion(driver: driver).convert(arguments))
        }
    }

    // MARK: The host

    private static func capabilities(_ driver: QEMUDriver) async throws -> HostCapabilities {
        let description = driver.hostDescription
        var document = HostCapabilities()
        document.host = try await BlockingPool.shared.run { description.host(.read()) }
        for architecture in HostDescription.architectures {
            guard let emulator = QEMUCapabilitiesCache.emulator(for: architecture, host: Emulators.hostArch),
                let facts = try? await driver.capabilities.facts(of: emulator)
            else { continue }
            document.guests.append(HostDescription.guest(architecture, emulator, facts))
        }
        return document
    }

    private static func encryption(_ count: Int32, _ driver: QEMUDriver) async throws -> RemoteNodeGetSevInfoRet {
        let facts = try await driver.capabilities.facts(of: Emulators.standard(arch: Emulators.hostArch))
        guard let sev = facts.sev else {
            throw VirtError(.operationUnsupported, .qemu, "QEMU does not support SEV guest")
        }
        let all = [
            TypedParameter("pdh", .string(sev.pdh)), TypedParameter("cert-chain", .string(sev.certificateChain)),
            TypedParameter("cbitpos", .uint(sev.cbitPosition)),
            TypedParameter("reduced-phys-bits", .uint(sev.reducedPhysicalBits)),
        ]
        return .init(params: count > 0 ? Array(all.prefix(Int(count))) : [], nparams: Int32(all.count))
    }

    private static func modelNames(_ architecture: String) async throws -> [String] {
        guard HostDescription.architectures.contains(architecture) else {
            throw VirtError(.invalidArg, .qemu, "cannot find architecture \(architecture)")
        }
        // ARM and s390 take every name.
        if Architecture.isARM(architecture) || Architecture.isS390(architecture) { return [] }
        guard let map = try await BlockingPool.shared.run({ HostDescription.map(for: architecture) }) else {
            throw VirtError(.noSupport, .cpu, "'\(architecture)' architecture is not supported by CPU driver")
        }
        return map.models.map(\.name)
    }

    // MARK: Domain capabilities

    private static func domainCapabilities(
        _ arguments: RemoteConnectGetDomainCapabilitiesArgs, _ driver: QEMUDriver
    ) async throws -> DomainCapabilities {
        let target = HypervisorTarget(
            emulator: arguments.emulatorbin, arch: arguments.arch, machine: arguments.machine,
            virtType: arguments.virttype)
        let (emulator, facts, architecture) = try await emulator(target, driver)
        let isKVM = try accelerator(arguments.virttype, facts, emulator)
        let preferred = facts.preferredMachine(kvm: isKVM)
        guard let name = arguments.machine ?? preferred, let machine = facts.machine(name, kvm: isKVM) else {
            let name = arguments.machine ?? ""
            throw VirtError(
                .invalidArg, .qemu, "the machine '\(name)' is not supported by emulator '\(emulator)'")
        }
        let (host, map) = try await BlockingPool.shared.run {
            var host = DomainCapabilityFacts.HostSupport()
            host.addFirmware(architecture, machine.name)
            host.tpmVersions = HostDescription.tpmVersions()
            host.hasVFIO = HostDescription.hasVFIO
            return (host, HostDescription.map(for: architecture))
        }
        return DomainCapabilityFacts(
            facts, emulator: emulator, architecture: architecture, machine: machine, kvm: isKVM, host: host, map: map
        ).document
    }

    /// The facts of the QEMU that a client means, and whether it would run guests with KVM.
    static func facts(
        _ target: HypervisorTarget, _ driver: QEMUDriver
    ) async throws -> (facts: QEMUCapabilities, isKVM: Bool) {
        let (path, facts, _) = try await emulator(target, driver)
        let isKVM = try accelerator(target.virtType, facts, path)
        if let machine = target.machine, facts.machine(machine, kvm: isKVM) == nil {
            throw VirtError(.invalidArg, .qemu, "the machine '\(machine)' is not supported by emulator '\(path)'")
        }
        return (facts, isKVM)
    }

    private static func emulator(
        _ arguments: HypervisorTarget, _ driver: QEMUDriver
    ) async throws -> (path: String, facts: QEMUCapabilities, architecture: String) {
        if let name = arguments.arch, !HostDescription.architectures.contains(name) {
            throw VirtError(.invalidArg, .qemu, "unknown architecture: \(name)")
        }
        if let binary = arguments.emulator {
            let facts = try await driver.capabilities.facts(of: binary)
            if let name = arguments.arch, !matches(facts.architecture, name) {
                throw VirtError(
                    .invalidArg, .qemu,
                    "architecture from emulator '\(facts.architecture)' doesn't match given architecture '\(name)'")
            }
            return (binary, facts, arguments.arch ?? facts.architecture)
        }
        let architecture = arguments.arch ?? Emulators.hostArch
        guard let binary = QEMUCapabilitiesCache.emulator(for: architecture, host: Emulators.hostArch) else {
            throw VirtError(
                .configUnsupported, .qemu, "unable to find any emulator to serve '\(architecture)' architecture")
        }
        return (binary, try await driver.capabilities.facts(of: binary), architecture)
    }

    private static func matches(_ emulated: String, _ wanted: String) -> Bool {
        emulated == wanted || [emulated, wanted] == ["x86_64", "i686"] || [emulated, wanted] == ["armv7l", "armv6l"]
            || [emulated, wanted] == ["ppc64", "ppc64le"]
    }

    private static func accelerator(_ type: String?, _ facts: QEMUCapabilities, _ emulator: String) throws -> Bool {
        switch type {
        case nil: return facts.has(.kvm)
        case "qemu":
            guard facts.has(.tcg) else { throw unsupported("tcg", emulator) }
            return false
        case "kvm":
            guard facts.has(.kvm) else { throw unsupported("kvm", emulator) }
            return true
        case .some(let other): throw VirtError(.invalidArg, .qemu, "unknown virttype: \(other)")
        }
    }

    private static func unsupported(_ accelerator: String, _ emulator: String) -> VirtError {
        VirtError(
            .invalidArg, .qemu, "the accel '\(accelerator)' is not supported by '\(emulator)' on this host")
    }
}
