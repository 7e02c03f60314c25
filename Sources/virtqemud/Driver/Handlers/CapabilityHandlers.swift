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
        table.on(RemoteProgram.ConnectGetSysinfo.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuConnectGetSysinfo")
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
        let emulators = Architecture.all.map {
            QEMUCapabilitiesCache.emulator(for: $0.name, host: Emulators.hostArch)
        }
        let known = await driver.capabilities.facts(ofAll: Set(emulators.compactMap(\.self)))
        for (architecture, emulator) in zip(Architecture.all, emulators) {
            guard let emulator, let facts = known[emulator] else { continue }
            document.guests.append(HostDescription.guest(architecture, emulator, facts))
        }
        return document
    }

    private static func encryption(_ count: Int32, _ driver: QEMUDriver) async throws -> RemoteNodeGetSevInfoRet {
        let facts = try await driver.capabilities.facts(of: try Emulators.standard(arch: Emulators.hostArch))
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
        guard Architecture.named(architecture) != nil else {
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
        let hypervisor = try await target.resolve(driver)
        guard Architecture.isRun(hypervisor.architecture, byEmulatorOf: hypervisor.facts.architecture) else {
            throw VirtError(
                .invalidArg, .qemu,
                "Emulator '\(hypervisor.path)' does not support arch '\(hypervisor.architecture)'")
        }
        let machine = try hypervisor.requiredMachine
        let tpm = try await SoftwareTPM.find()
        let (host, map) = try await BlockingPool.shared.run {
            var host = DomainCapabilityFacts.HostSupport()
            host.addFirmware(hypervisor.architecture, machine.name)
            host.hasTPMEmulator = tpm.isInstalled
            host.tpmVersions = tpm.versions
            host.hasVFIO = HostDescription.hasVFIO
            if hypervisor.isKVM { host.maximumVCPUs = UInt32(clamping: try KVMDevice.maximumVCPUs()) }
            return (host, HostDescription.map(for: hypervisor.architecture))
        }
        return DomainCapabilityFacts(
            hypervisor.facts, emulator: hypervisor.path, architecture: hypervisor.architecture, machine: machine,
            kvm: hypervisor.isKVM, host: host, map: map
        ).document
    }
}
