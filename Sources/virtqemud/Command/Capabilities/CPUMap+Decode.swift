package import VirtModel

extension CPUMap {
    /// A processor as a named model with what it has beyond the model, and what it lacks.
    package struct Description: Sendable, Equatable {
        package var model: String
        package var vendor: String?
        package var required: [String]
        package var disabled: [String]

        /// libvirt weighs a feature that is switched off the more, the more there are; of a list of them it looks at
        /// the first half only.
        fileprivate var weighed: Int { (disabled.count + 1) / 2 }
        fileprivate var penalty: Int { weighed * (weighed + 3) / 2 }
        fileprivate var cost: Int { required.count + disabled.count - weighed + penalty }

        /// The same as an element of a guest or of the host.
        package func cpu(fallback: CPU.Model.Fallback) -> CPU {
            var cpu = CPU()
            cpu.mode = .custom
            cpu.match = .exact
            cpu.model = CPU.Model(name: model, fallback: fallback)
            cpu.vendor = vendor
            cpu.features = required.map { CPU.Feature($0, .require) } + disabled.map { CPU.Feature($0, .disable) }
            return cpu
        }
    }

    /// What the description is for.
    package enum Purpose: Sendable {
        /// Nothing may be missing from the model.
        case host
        case guest
    }

    /// The model that describes a set of features best: in few words, and with few features that the model has and the
    /// processor lacks.
    ///
    /// - Parameters:
    ///   - offered: QEMU's models; nil allows every one of the map.
    ///   - preferred: models to be favoured; a single one wins when it may be used at all.
    package func describe(
        _ features: Set<String>, _ identity: CPUIdentity, for purpose: Purpose, offered: [QEMUCapabilities.CPU]? = nil,
        preferred: Set<String> = []
    ) -> Description? {
        let features = identity.hasBrokenTSX ? features.subtracting(["hle", "rtm"]) : features
        var best: (model: Model, description: Description)?
        // The newest models come last.
        for model in models.reversed() {
            guard purpose == .host ? model.decodesHost : model.decodesGuest else { continue }
            let offer = offered?.first { $0.name == model.name }
            if offered != nil, offer == nil { continue }
            if let vendor = identity.vendor, let own = model.vendor, vendor != own { continue }
            let candidate = description(features, identity, as: model, purpose, blockers: offer?.blockers ?? [])
            if purpose == .host, !candidate.disabled.isEmpty { continue }
            if preferred == [model.name] { return candidate }
            guard let current = best else {
                best = (model, candidate)
                continue
            }
            let isPreferred = preferred.contains(model.name)
            if isBetter(candidate, model, than: current.description, current.model, identity, isPreferred) {
                best = (model, candidate)
            }
        }
        return best?.description
    }

    private func isBetter(
        _ candidate: Description, _ model: Model, than current: Description, _ currentModel: Model,
        _ identity: CPUIdentity, _ isPreferred: Bool
    ) -> Bool {
        let matches = model.signatures.contains { $0.matches(identity) }
        let currentMatches = currentModel.signatures.contains { $0.matches(identity) }
        // Among models of the very processor only words count; the first of them wins over all others.
        if matches != currentMatches { return matches }
        if candidate.cost < current.cost { return true }
        if candidate.cost == current.cost, candidate.penalty < current.penalty { return true }
        return isPreferred && candidate.penalty < current.penalty
    }

    private func description(
        _ features: Set<String>, _ identity: CPUIdentity, as model: Model, _ purpose: Purpose, blockers: [String]
    ) -> Description {
        let extra = features.subtracting(model.features)
        var missing = model.features.subtracting(features)
        // What keeps QEMU's version of the model from running is switched off.
        for blocker in blockers.compactMap(featureName) where !extra.contains(blocker) { missing.insert(blocker) }
        var disabled = self.features.map(\.name).filter(missing.contains)
        if purpose == .guest { disabled += model.removed.filter { !features.contains($0) && !missing.contains($0) } }
        return Description(
            model: model.name, vendor: identity.vendor, required: self.features.map(\.name).filter(extra.contains),
            disabled: disabled)
    }

    /// The host as QEMU sees it, in the map's terms.
    ///
    /// - Parameter onlyMigratable: leaves out what a guest would lose on another host.
    package func features(
        of host: QEMUCapabilities.HostCPU, onlyMigratable: Bool
    ) -> (features: Set<String>, identity: CPUIdentity) {
        var found: Set<String> = []
        var identity = CPUIdentity()
        for property in host.properties {
            switch (property.name, property.value) {
            case (_, .boolean(true)):
                if onlyMigratable, host.knowsMigratability, property.migratable != true { continue }
                if let name = featureName(property.name) { found.insert(name) }
            case ("vendor", .string(let text)): identity.vendor = vendors[text]
            case ("family", .number(let number)): identity.family = UInt32(clamping: number)
            case ("model", .number(let number)): identity.model = UInt32(clamping: number)
            case ("stepping", .number(let number)): identity.stepping = UInt32(clamping: number)
            default: continue
            }
        }
        return (found, identity)
    }

    /// The processor that `host-model` stands for; nil where QEMU doesn't tell.
    ///
    /// - Parameter onlyMigratable: a guest gets what it can take to another host; what is told of the host is all.
    package func hostModel(
        _ capabilities: QEMUCapabilities, kvm isKVM: Bool, onlyMigratable: Bool = true
    ) -> Description? {
        let accelerator = capabilities.accelerator(kvm: isKVM)
        guard Architecture.isX86(capabilities.architecture), let host = accelerator.hostCPU else { return nil }
        let (features, identity) = features(of: host, onlyMigratable: onlyMigratable)
        return describe(features, identity, for: .guest, offered: accelerator.cpus)
    }

    /// QEMU's model by the map's name; nil for one that the map doesn't have. POWER's names differ in case.
    func named(_ cpu: QEMUCapabilities.CPU) -> QEMUCapabilities.CPU? {
        guard model(cpu.name) == nil else { return cpu }
        guard let own = models.first(where: { $0.name.lowercased() == cpu.name }) else { return nil }
        var cpu = cpu
        cpu.name = own.name
        return cpu
    }
}
