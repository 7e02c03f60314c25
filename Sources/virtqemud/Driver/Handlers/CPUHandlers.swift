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
            let documents = try arguments.xmlCPUs.map { try CPUDocument($0) }
            guard !documents.contains(where: \.hasMode) else {
                throw VirtError(.configUnsupported, .cpu, "Attribute mode is only allowed for guest CPU")
            }
            let map = try await models(of: Emulators.hostArch)
            var cpu = try map.baseline(
                documents.map(\.cpu), onlyMigratable: arguments.flags & onlyMigratable != 0)
            if arguments.flags & expands != 0 { map.expand(&cpu) }
            return .init(cpu: try ElementWriter.document("cpu", cpu))
        }
        installHypervisor(into: &table, driver)
    }

    private static func installHypervisor(into table: inout HandlerTable, _ driver: QEMUDriver) {
        table.onAsync(RemoteProgram.ConnectCompareHypervisorCpu.self) { arguments, _ in
            try arguments.flags.checkFlags(3, "qemuConnectCompareHypervisorCPU")
            let target = HypervisorTarget(
                emulator: arguments.emulator, arch: arguments.arch, machine: arguments.machine,
                virtType: arguments.virttype)
            let hypervisor = try await target.resolve(driver)
            let (facts, isKVM) = (hypervisor.facts, hypervisor.isKVM)
            let document = try await read(arguments.xmlCPU, arguments.flags)
            let map = try await hypervisorMap(facts, "comparing with the hypervisor CPU")
            guard let host = map.hostModel(facts, kvm: isKVM) else {
                throw VirtError(.operationUnsupported, .qemu, "QEMU does not provide CPU model")
            }
            return .init(result: try compare(map, host.cpu(fallback: .forbid), document, arguments.flags))
        }
        table.onAsync(RemoteProgram.ConnectBaselineHypervisorCpu.self) { arguments, _ in
            try arguments.flags.checkFlags(3, "qemuConnectBaselineHypervisorCPU")
            let target = HypervisorTarget(
                emulator: arguments.emulator, arch: arguments.arch, machine: arguments.machine,
                virtType: arguments.virttype)
            let documents = try arguments.xmlCPUs.map { try CPUDocument($0) }
            let hypervisor = try await target.resolve(driver)
            let (facts, isKVM) = (hypervisor.facts, hypervisor.isKVM)
            let map = try await hypervisorMap(facts, "computing baseline hypervisor CPU")
            let accelerator = facts.accelerator(kvm: isKVM)
            let migratable = arguments.flags & onlyMigratable != 0
            let limit =
                isKVM ? accelerator.hostCPU.map { map.features(of: $0, onlyMigratable: migratable).features } : nil
            var cpu = try map.baseline(
                documents.map(\.cpu), offered: accelerator.cpus, limit: limit,
                onlyMigratable: migratable && accelerator.hostCPU?.knowsMigratability != true)
            cpu.model?.fallback = .forbid
            if arguments.flags & expands != 0 { map.expand(&cpu) }
            return .init(cpu: try ElementWriter.document("cpu", cpu))
        }
    }

    private static func models(of architecture: String) async throws -> CPUMap {
        let map: CPUMap? = try await BlockingPool.shared.run { HostDescription.map(for: architecture) }
        guard let map else {
            throw VirtError(.noSupport, .cpu, "'\(architecture)' architecture is not supported by CPU driver")
        }
        return map
    }

    private static func hypervisorMap(_ facts: QEMUCapabilities, _ what: String) async throws -> CPUMap {
        guard Architecture.isX86(facts.architecture) else {
            throw VirtError(.operationUnsupported, .qemu, "\(what) is not supported for arch \(facts.architecture)")
        }
        return try await models(of: facts.architecture)
    }

    private static func read(_ xml: String, _ flags: UInt32) async throws -> CPUDocument {
        if flags & validates != 0 { try await SchemaValidation.check(xml, schema: "cpu.rng") }
        return try CPUDocument(xml)
    }

    private static func compare(
        _ map: CPUMap, _ host: CPU, _ document: CPUDocument, _ flags: UInt32
    ) throws(VirtError) -> Int32 {
        let (result, reason) = try map.compare(
            host: host, guest: document.cpu, isStrict: document.isGuest && document.cpu.match == .strict)
        if result == .incompatible, flags & failsIncompatible != 0 {
            throw VirtError(.cpuIncompatible, .cpu, reason)
        }
        return result.rawValue
    }
}

/// A `<cpu>` document, of a host or of a guest.
private struct CPUDocument {
    var cpu: CPU
    var hasMode: Bool
    var isGuest: Bool

    init(_ xml: String) throws {
        let root = try XMLDocument.root("cpu", of: xml.utf8, name: "(CPU_definition)", domain: .cpu)
        hasMode = root.attribute("mode") != nil
        isGuest = hasMode || root.attribute("match") != nil
        cpu = try ElementReader.read(root)
    }
}
