import QEMUMonitor
import VirtCore

/// Asks for the host's processor as QEMU sees it, and for the Hyper-V enlightenments that it can have.
struct HostModelProbe {
    private let model: String
    private let architecture: String
    private let canExpand: Bool
    private let hasCanonicalNames: Bool

    /// - Parameter model: what QEMU calls the processor with all that the accelerator offers.
    init(_ capabilities: QEMUCapabilities, model: String) {
        self.model = model
        architecture = capabilities.architecture
        canExpand = capabilities.has(.queryCpuModelExpansion)
        hasCanonicalNames = capabilities.has(.canonicalCpuFeatures)
    }

    private var isX86: Bool { Architecture.isX86(architecture) }
    private var isS390: Bool { Architecture.isS390(architecture) }
    private var isARM: Bool { Architecture.isARM(architecture) }

    /// The processor's properties, and which of them can be migrated.
    func hostCPU(ask: CapabilityProbe.Ask) async throws -> QEMUCapabilities.HostCPU? {
        guard canExpand, isX86 || isS390 || isARM else { return nil }
        var questions = [expansion(model, [:])]
        if isX86 { questions.append(expansion(model, ["migratable": false])) }
        var models = try await expand(questions, ask)
        if isX86, !hasCanonicalNames {
            // Without canonical names a static expansion says little: expand what it found in full.
            let full = models.compactMap { $0 }.map { expansion($0.name, $0.properties, type: "full") }
            models = try await expand(full, ask)
        }
        guard let migratable = models.first ?? nil else { return nil }
        return merge(migratable, with: models.count > 1 ? models[1] : nil)
    }

    /// The Hyper-V enlightenments that a guest can have.
    func hyperv(ask: CapabilityProbe.Ask) async throws -> QEMUCapabilities.Hyperv? {
        guard canExpand, isX86 || isARM else { return nil }
        let properties: JSONObject = ["migratable": false, "hv-passthrough": true]
        let found = try await expand([expansion("host", properties, type: "full")], ask).first ?? nil
        guard let found else { return nil }
        let features = Self.enlightenments.filter { entry in
            switch found.properties[entry.property] {
            case .bool(let value): value
            case .number(let literal): literal != "0"
            case .string: true
            default: false
            }
        }
        return .init(supported: !features.isEmpty, features: features.map(\.name))
    }

    private struct Model {
        var name: String
        var properties: JSONObject
    }

    private func expansion(_ name: String, _ properties: JSONObject, type: String? = nil) -> QMPCommand {
        var model: JSONObject = ["name": .string(name)]
        if !properties.members.isEmpty { model["props"] = .object(properties) }
        let kind = type ?? (isARM ? "full" : "static")
        return QMPCommand("query-cpu-model-expansion", ["type": .string(kind), "model": .object(model)])
    }

    /// The models; nil for each that this QEMU can't expand.
    private func expand(_ questions: [QMPCommand], _ ask: CapabilityProbe.Ask) async throws -> [Model?] {
        let outcomes = try await ask(questions)
        return try zip(questions, outcomes).map { question, outcome in
            guard let reply = try Replies.value(question, outcome) else { return nil }
            guard let model = reply["model"], model.object != nil else {
                throw VirtError(.internalError, .qemu, "\(question.name) reply data was missing 'model'")
            }
            let name = try Replies.string("name", of: model, in: question.name)
            // Old models of s390 have no list of features.
            guard let properties = model["props"]?.object ?? (isS390 ? JSONObject() : nil) else {
                throw VirtError(.internalError, .qemu, "\(question.name) reply data was missing 'props'")
            }
            return Model(name: name, properties: properties)
        }
    }

    /// What only the model with everything in it has can't be migrated.
    private func merge(_ migratable: Model, with everything: Model?) -> QEMUCapabilities.HostCPU {
        let properties = migratable.properties.members.compactMap { member in
            property(member.key, member.value, everything?.properties[member.key])
        }
        return .init(model: migratable.name, knowsMigratability: everything != nil, properties: properties)
    }

    private func property(
        _ name: String, _ value: JSONValue, _ everything: JSONValue?
    ) -> QEMUCapabilities.Property? {
        if let flag = value.bool {
            guard let other = everything?.bool else { return .init(name: name, value: .boolean(flag)) }
            let isKnown = flag || other
            return .init(name: name, value: .boolean(isKnown), migratable: isKnown ? flag : nil)
        }
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
}
