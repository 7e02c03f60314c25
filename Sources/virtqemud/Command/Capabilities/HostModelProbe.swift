import QEMUMonitor
import VirtCore

/// Asks for the host's processor as QEMU sees it, and for the Hyper-V enlightenments that it can have.
struct HostModelProbe {
    private let architecture: String
    private let canExpand: Bool
    private let knowsMigratable: Bool
    private let hasCanonicalNames: Bool
    private let hasHostModel: Bool

    init(_ capabilities: QEMUCapabilities) {
        architecture = capabilities.architecture
        canExpand = capabilities.has(.queryCpuModelExpansion)
        knowsMigratable = capabilities.has(.cpuMigratable)
        hasCanonicalNames = capabilities.has(.canonicalCpuFeatures)
        hasHostModel =
            Architecture.isX86(architecture) || Architecture.isS390(architecture) || Architecture.isARM(architecture)
    }

    private var isX86: Bool { Architecture.isX86(architecture) }

    func run(ask: CapabilityProbe.Ask) async throws -> (QEMUCapabilities.HostCPU?, QEMUCapabilities.Hyperv?) {
        guard canExpand, hasHostModel else { return (nil, nil) }
        var questions = [expansion("host", [:])]
        if isX86 { questions.append(expansion("host", ["migratable": false])) }
        let hypervProperties: JSONObject = ["migratable": false, "hv-passthrough": true]
        if !Architecture.isS390(architecture) {
            questions.append(expansion("host", hypervProperties, type: "full"))
        }
        var models = try await ask(questions).map(model)
        let hyperv = Architecture.isS390(architecture) ? nil : self.hyperv(models.popLast() ?? nil)
        if isX86, !hasCanonicalNames {
            // Without canonical names a static expansion says little: expand what it found in full.
            let full = models.compactMap { $0 }.map { expansion($0.name, $0.properties, type: "full") }
            models = try await ask(full).map(model)
        }
        guard let migratable = models.first ?? nil else { return (nil, hyperv) }
        return (hostCPU(migratable, models.count > 1 ? models[1] : nil), hyperv)
    }

    private struct Model {
        var name: String
        var properties: JSONObject
    }

    private func expansion(_ name: String, _ properties: JSONObject, type: String? = nil) -> QMPCommand {
        var model: JSONObject = ["name": .string(name)]
        if !properties.members.isEmpty { model["props"] = .object(properties) }
        let kind = type ?? (Architecture.isARM(architecture) ? "full" : "static")
        return QMPCommand("query-cpu-model-expansion", ["type": .string(kind), "model": .object(model)])
    }

    private func model(_ outcome: QMPSession.Outcome) -> Model? {
        guard case .success(let reply) = outcome, let name = reply["model"]?["name"]?.string else { return nil }
        return Model(name: name, properties: reply["model"]?["props"]?.object ?? JSONObject())
    }

    /// The properties of the model with everything in it; those that the migratable model has as well can be migrated.
    private func hostCPU(_ migratable: Model, _ everything: Model?) -> QEMUCapabilities.HostCPU {
        guard let everything else {
            let properties = migratable.properties.members.compactMap { property($0.key, $0.value, nil) }
            return .init(model: migratable.name, knowsMigratability: false, properties: properties)
        }
        let enabled = Set(migratable.properties.members.filter { $0.value == true }.map(\.key))
        let properties = everything.properties.members.compactMap { member in
            property(member.key, member.value, member.value == true ? enabled.contains(member.key) : nil)
        }
        return .init(model: migratable.name, knowsMigratability: true, properties: properties)
    }

    private func property(_ name: String, _ value: JSONValue, _ migratable: Bool?) -> QEMUCapabilities.Property? {
        if let flag = value.bool { return .init(name: name, value: .boolean(flag), migratable: migratable) }
        if let text = value.string { return .init(name: name, value: .string(text)) }
        if let number = value.int { return .init(name: name, value: .number(number)) }
        return nil
    }

    /// libvirt's name of an enlightenment, and QEMU's property for it.
    static let enlightenments: [(name: String, property: String)] = [
        ("relaxed", "hv-relaxed"), ("vapic", "hv-vapic"), ("spinlocks", "hv-spinlocks"), ("vpindex", "hv-vpindex"),
        ("runtime", "hv-runtime"), ("synic", "hv-synic"), ("stimer", "hv-stimer"), ("reset", "hv-reset"),
        ("vendor_id", "hv-vendor-id"), ("frequencies", "hv-frequencies"),
        ("reenlightenment", "hv-reenlightenment"), ("tlbflush", "hv-tlbflush"), ("ipi", "hv-ipi"),
        ("evmcs", "hv-evmcs"), ("avic", "hv-avic"),
    ]

    private func hyperv(_ model: Model?) -> QEMUCapabilities.Hyperv? {
        guard let model else { return nil }
        let features = Self.enlightenments.filter { entry in
            switch model.properties[entry.property] {
            case .bool(let value): value
            case .number(let literal): literal != "0"
            case .string: true
            default: false
            }
        }
        return .init(supported: !features.isEmpty, features: features.map(\.name))
    }
}
