import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// The guest's processor as QEMU really made it.
extension DomainActor {
    /// Asks for all switches of the first processor: the some 400 questions that libvirt asks one after the other go out
    /// together, and only once for all guests whose processor comes out the same. The guest keeps what it was defined with when QEMU does not tell.
    func checkProcessor(_ plan: inout StartPlan) async throws {
        guard let cpu = plan.domain.cpu, (cpu.mode ?? .custom) == .custom, let model = cpu.model?.name,
            let arch = plan.domain.os.arch,
            let map = try await BlockingPool.shared.run({ HostDescription.map(for: arch) })
        else { return }
        let shape = ProcessorSwitches.Shape(plan)
        let switches: ProcessorSwitches
        if let known = driver.processorSwitches.known(shape) {
            switches = known
        } else if let asked = try? await askForSwitches() {
            switches = asked
            driver.processorSwitches.learn(shape, asked)
        } else {
            return
        }
        let enabled = Set(switches.enabled.map { map.featureName($0) ?? $0 })
        let missing = Set(switches.missing.map { map.featureName($0) ?? $0 })
        let updated = try cpu.updated(enabled: enabled, missing: missing, map.model(model), map)
        plan.domain.cpu = updated
        live?.cpu = updated
    }

    private func askForSwitches() async throws -> ProcessorSwitches? {
        let processor = "/machine/unattached/device[0]"
        guard let properties = try await ask([QMPCommand("qom-list", ["path": .string(processor)])]).first?.array
        else { return nil }
        let names = properties.compactMap { property -> String? in
            guard property["type"]?.string == "bool" else { return nil }
            return property["name"]?.string
        }
        let questions = names.map { name in
            QMPCommand("qom-get", ["path": .string(processor), "property": .string(name)])
        }
        let unavailable: JSONValue = ["path": .string(processor), "property": "unavailable-features"]
        let answers = try await ask(questions + [QMPCommand("qom-get", unavailable)])
        return ProcessorSwitches(
            enabled: zip(names, answers).filter { $0.1.bool == true }.map(\.0),
            missing: (answers.last?.array ?? []).compactMap(\.string))
    }
}

extension CPU {
    /// The processor with what the guest got beyond its model, and without what it did not get.
    ///
    /// Throws error 91's class for a full check that the guest does not pass.
    func updated(
        enabled: Set<String>, missing: Set<String>, _ model: CPUMap.Model?, _ map: CPUMap
    ) throws(VirtError) -> CPU {
        guard let model else { return self }
        var result = self
        var extra: [String] = []
        var lost: [String] = []
        for feature in map.features {
            let name = feature.name
            let index = result.features.firstIndex { $0.name == name }
            let policy = index.flatMap { result.features[$0].policy }
            let isWanted: Bool
            switch policy {
            case .require?, .force?: isWanted = true
            case .disable?, .forbid?: isWanted = false
            case .optional?: isWanted = enabled.contains(name)
            case nil: isWanted = model.features.contains(name)
            }
            if isWanted, missing.contains(name) {
                lost.append(name)
                result.set(name, .disable, at: index)
            } else if !isWanted, enabled.contains(name) {
                extra.append(name)
                result.set(name, .require, at: index)
            } else if policy == .optional {
                result.set(name, isWanted ? .require : .disable, at: index)
            }
        }
        if check == .full, !extra.isEmpty || !lost.isEmpty {
            let more = extra.isEmpty ? "" : "extra features: " + extra.joined(separator: ",")
            let less = lost.isEmpty ? "" : "missing features: " + lost.joined(separator: ",")
            let detail = [more, less].filter { !$0.isEmpty }.joined(separator: ", ")
            throw VirtError(.operationFailed, .cpu, "guest CPU doesn't match specification: \(detail)")
        }
        result.check = .full
        return result
    }

    private mutating func set(_ name: String, _ policy: Feature.Policy, at index: Int?) {
        if let index {
            features[index].policy = policy
        } else {
            features.append(Feature(name, policy))
        }
    }
}
