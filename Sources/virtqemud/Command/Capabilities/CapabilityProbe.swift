package import QEMUMonitor
import VirtCore

/// Finds out what a QEMU can do by asking it. All that doesn't depend on an answer is asked at once.
package enum CapabilityProbe {
    /// Sends commands to a QEMU, or looks them up in a recorded dialogue.
    package typealias Ask = ([QMPCommand]) async throws -> [QMPSession.Outcome]

    /// The facts of a QEMU that was started without a machine.
    package static func run(ask: Ask) async throws -> QEMUCapabilities {
        let replies = try await Replies(commands: questions, ask: ask)
        var capabilities = QEMUCapabilities()
        try readVersion(replies, &capabilities)
        try await addFlags(replies, &capabilities, ask: ask)
        let isKVM = capabilities.has(.kvm)
        var accelerator = try accelerator(replies, &capabilities)
        let host = HostModelProbe(capabilities, model: "host")
        accelerator.hostCPU = try await host.hostCPU(ask: ask)
        if isKVM { capabilities.kvm = accelerator } else { capabilities.tcg = accelerator }
        capabilities.hyperv = try await host.hyperv(ask: ask)
        capabilities.gic = try gic(replies.list("query-gic-capabilities"))
        capabilities.sev = try sev(replies["query-sev-capabilities"])
        capabilities.sgx = try sgx(replies["query-sgx-capabilities"])
        if capabilities.sev == nil { capabilities.flags.remove(.sevGuest) }
        if capabilities.sgx == nil { capabilities.flags.remove(.sgxEpc) }
        return capabilities
    }

    /// The facts for TCG from a QEMU that was started with it although KVM is usable.
    package static func addTCG(to capabilities: inout QEMUCapabilities, ask: Ask) async throws {
        let replies = try await Replies(
            commands: [QMPCommand("query-machines"), QMPCommand("query-cpu-definitions")], ask: ask)
        capabilities.tcg = try accelerator(replies, &capabilities)
        capabilities.tcg.hostCPU = try await HostModelProbe(capabilities, model: "max").hostCPU(ask: ask)
    }

    private static func readVersion(_ replies: Replies, _ capabilities: inout QEMUCapabilities) throws(VirtError) {
        let version = replies["query-version"]
        guard let major = version?["qemu"]?["major"]?.integer(UInt32.self), major < 1000,
            let minor = version?["qemu"]?["minor"]?.integer(UInt32.self), minor < 1000,
            let micro = version?["qemu"]?["micro"]?.integer(UInt32.self), micro < 1000
        else {
            throw VirtError(.internalError, .qemu, "query-version reply was missing 'qemu' data")
        }
        capabilities.version = major * 1_000_000 + minor * 1000 + micro
        guard capabilities.version >= QEMUCapabilities.minimumVersion else {
            let found = "\(major).\(minor).\(micro)"
            throw VirtError(.configUnsupported, .qemu, "QEMU version >= 4.2.0 is required, but \(found) found")
        }
        capabilities.package = version?["package"]?.string
        guard let target = replies["query-target"]?["arch"]?.string else {
            throw VirtError(.internalError, .qemu, "query-target reply was missing arch data")
        }
        guard let architecture = Architecture.name(ofTarget: target) else {
            throw VirtError(.internalError, .qemu, "Unknown QEMU arch \(target)")
        }
        capabilities.architecture = architecture
    }

    private static func accelerator(
        _ replies: Replies, _ capabilities: inout QEMUCapabilities
    ) throws(VirtError) -> QEMUCapabilities.Accelerator {
        var accelerator = QEMUCapabilities.Accelerator()
        accelerator.machines = try machines(replies.list("query-machines"), capabilities.architecture)
        accelerator.cpus = try cpus(replies.list("query-cpu-definitions"), capabilities.architecture)
        if accelerator.cpus.contains(where: { $0.name == "max" }) { capabilities.flags.insert(.cpuMax) }
        return accelerator
    }

    private static let questions: [QMPCommand] = {
        let plain = [
            "query-version", "query-target", "query-qmp-schema", "query-commands", "query-kvm", "qom-list-types",
            "query-machines", "query-cpu-definitions", "query-tpm-models", "query-tpm-types",
            "query-command-line-options", "query-migrate-capabilities", "query-gic-capabilities",
            "query-sev-capabilities", "query-sgx-capabilities",
        ]
        var devices: [String] = []
        var objects = ["none-machine"]
        for (_, witness) in FlagWitness.table {
            switch witness {
            case .property(let names, _): devices += names
            case .objectProperty(let names, _): objects += names
            default: continue
            }
        }
        return plain.map { QMPCommand($0) }
            + unique(devices).map { QMPCommand("device-list-properties", ["typename": .string($0)]) }
            + unique(objects).map { QMPCommand("qom-list-properties", ["typename": .string($0)]) }
    }()

    private static func unique(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }
}
