import QEMUCommand
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire
import VirtXML

/// Comparing processors, and finding what several have in common.
enum CPUHandlers {
    /// VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE, VIR_CONNECT_COMPARE_CPU_VALIDATE_XML.
    private static let failsIncompatible: UInt32 = 1
    private static let validates: UInt32 = 2
    /// VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES, VIR_CONNECT_BASELINE_CPU_MIGRATABLE.
    private static let expands: UInt32 = 1
    private static let onlyMigratable: UInt32 = 2

    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        table.onAsync(RemoteProgram.ConnectCompareCpu.self) { arguments, _ in
            try arguments.flags.checkFlags(3, "qemuConnectCompareCPU")
            let document = try await read(arguments.xml, arguments.flags)
            let map = try await models(of: Emulators.hostArch)
            let description = driver.hostDescription
            let host: HostCPU = try await BlockingPool.shared.run { description.host(.read()).cpu }
            var cpu = CPU()
            cpu.model = host.model.map { CPU.Model(name: $0, fallback: .allow) }
            cpu.vendor = host.vendor
            cpu.features = host.features.map { CPU.Feature($0.name, .require) }
            return .init(result: try compare(map, cpu, document, arguments.flags))
        }
        table.onAsync(RemoteProgram.ConnectBaselineCpu.self) { arguments, _ in
            try arguments.flags.checkFlags(3, "qemuConnectBaselineCPU")
            let cpu = try await baseline([CPUDocument](arguments.xmlCPUs, as: .host).cpus(), arguments.flags)
            return .init(cpu: try ElementWriter.document("cpu", cpu))
        }
        table.onAsync(RemoteProgram.ConnectCompareHypervisorCpu.self) { arguments, _ in
            try arguments.flags.checkFlags(3, "qemuConnectCompareHypervisorCPU")
            let target = HypervisorTarget(
                emulator: arguments.emulator, arch: arguments.arch, machine: arguments.machine,
                virtType: arguments.virttype)
            let hypervisor = try await target.resolve(driver)
            let map = try await optionalModels(of: hypervisor.architecture)
            guard let map,
                let host = map.hostModel(hypervisor.facts, kvm: hypervisor.isKVM, onlyMigratable: false)
            else {
                throw unsupported(hypervisor, "reporting CPU model")
            }
            let document = try await read(arguments.xmlCPU, arguments.flags)
            return .init(result: try compare(map, host.cpu(fallback: .forbid), document, arguments.flags))
        }
        table.onAsync(RemoteProgram.ConnectBaselineHypervisorCpu.self) { arguments, _ in
            try arguments.flags.checkFlags(3, "qemuConnectBaselineHypervisorCPU")
            let documents = try [CPUDocument](arguments.xmlCPUs)
            let target = HypervisorTarget(
                emulator: arguments.emulator, arch: arguments.arch, machine: arguments.machine,
                virtType: arguments.virttype)
            let hypervisor = try await target.resolve(driver)
            let cpu = try await hypervisorBaseline(documents, hypervisor, arguments.flags, driver)
            return .init(cpu: try ElementWriter.document("cpu", cpu))
        }
    }

    // MARK: Baseline

    /// What hosts have in common: their architecture decides what they are compared by.
    private static func baseline(_ cpus: [CPU], _ flags: UInt32) async throws -> CPU {
        let arch = cpus.first?.arch ?? Emulators.hostArch
        if Architecture.isARM(arch) {
            var cpu = CPU()
            cpu.mode = .custom
            cpu.match = .exact
            cpu.model = CPU.Model(name: cpus.first?.model?.name ?? "", fallback: .allow)
            return cpu
        }
        guard !Architecture.isS390(arch) else {
            throw VirtError(.noSupport, .cpu, "cannot compute baseline CPU of \(arch) architecture")
        }
        let map = try await models(of: arch)
        if Architecture.isPPC64(arch) { return try map.baselineByName(cpus) }
        var cpu = try map.baseline(cpus, onlyMigratable: flags & onlyMigratable != 0)
        if flags & expands != 0 { map.expand(&cpu) }
        return cpu
    }

    private static func hypervisorBaseline(
        _ documents: [CPUDocument], _ hypervisor: HypervisorTarget.Hypervisor, _ flags: UInt32, _ driver: QEMUDriver
    ) async throws -> CPU {
        let accelerator = hypervisor.facts.accelerator(kvm: hypervisor.isKVM)
        guard !accelerator.cpus.isEmpty else { throw unsupported(hypervisor, "any CPU models") }
        let architecture = hypervisor.architecture
        if Architecture.isS390(architecture), hypervisor.facts.has(.queryCpuModelBaseline),
            hypervisor.facts.has(.queryCpuModelExpansion)
        {
            let cpus = try documents.cpus(.qemu)
            for name in cpus.compactMap(\.model?.name) where !accelerator.cpus.contains(where: { $0.name == name }) {
                throw VirtError(.invalidArg, .qemu, "CPU model '\(name)' not supported by hypervisor")
            }
            return try await driver.capabilities.baseline(
                cpus, binary: hypervisor.path, expand: flags & expands != 0)
        }
        guard Architecture.isX86(architecture) else {
            throw VirtError(
                .operationUnsupported, .qemu,
                "computing baseline hypervisor CPU is not supported for arch \(architecture)")
        }
        let map = try await models(of: architecture)
        let migratable = flags & onlyMigratable != 0
        let host = accelerator.hostCPU
        let limit =
            hypervisor.isKVM ? host.map { map.features(of: $0, onlyMigratable: migratable).features } : nil
        var cpu = try map.baseline(
            try documents.cpus(), offered: accelerator.cpus, limit: limit,
            onlyMigratable: migratable && host?.knowsMigratability != true)
        cpu.model?.fallback = .forbid
        if flags & expands != 0 { map.expand(&cpu) }
        return cpu
    }

    private static func unsupported(_ hypervisor: HypervisorTarget.Hypervisor, _ what: String) -> VirtError {
        VirtError(
            .operationUnsupported, .qemu,
            "QEMU '\(hypervisor.path)' does not support \(what) for virttype '\(hypervisor.isKVM ? "kvm" : "qemu")'")
    }

    // MARK: Models and documents

    private static func models(of architecture: String) async throws -> CPUMap {
        guard let map = try await optionalModels(of: architecture) else {
            throw VirtError(.noSupport, .cpu, "'\(architecture)' architecture is not supported by CPU driver")
        }
        return map
    }

    private static func optionalModels(of architecture: String) async throws -> CPUMap? {
        try await BlockingPool.shared.run { HostDescription.map(for: architecture) }
    }

    private static func read(_ xml: String, _ flags: UInt32) async throws -> CPUDocument {
        if flags & validates != 0 {
            _ = try CPUDocument.root(xml)
            try await SchemaValidation.check(xml, schema: "cpu")
        }
        return try CPUDocument(xml)
    }

    private static func compare(
        _ map: CPUMap, _ host: CPU, _ document: CPUDocument, _ flags: UInt32
    ) throws(VirtError) -> Int32 {
        let (result, reason) = try map.compare(
            host: host, guest: document.cpu, isStrict: document.kind == .guest && document.cpu.match == .strict)
        if result == .incompatible, flags & failsIncompatible != 0 {
            throw VirtError(.cpuIncompatible, .cpu, reason)
        }
        return result.rawValue
    }
}
