import QEMUCommand
import QEMUMonitor
import VirtCore
package import VirtModel

/// Questions about processor models that only a running QEMU answers: those of s390.
extension QEMUCapabilitiesCache {
    /// What several processors have in common.
    ///
    /// - Parameter expand: names every feature, not only what the base model lacks.
    package nonisolated func baseline(_ cpus: [CPU], binary: String, expand: Bool) async throws -> CPU {
        guard var common = cpus.first.map(Self.question) else {
            throw VirtError(.invalidArg, .qemu, "no CPUs given")
        }
        return try await withQEMU(binary) { ask in
            for cpu in cpus.dropFirst() {
                common = try await Self.model(
                    "query-cpu-model-baseline", ["modela": common, "modelb": Self.question(cpu)], ask)
            }
            if expand || cpus.count == 1 {
                common = try await Self.model(
                    "query-cpu-model-expansion", ["type": expand ? "full" : "static", "model": common], ask)
            }
            var cpu = try Self.cpu(common)
            if expand { cpu.features.sort { $0.name < $1.name } }
            return cpu
        }
    }

    /// A processor as QEMU's CpuModelInfo.
    private static func question(_ cpu: CPU) -> JSONValue {
        var model: JSONObject = ["name": .string(cpu.model?.name ?? "")]
        var properties = JSONObject()
        for feature in cpu.features {
            properties[feature.name] = .bool(feature.policy == nil || feature.policy == .require)
        }
        if !properties.members.isEmpty { model["props"] = .object(properties) }
        return .object(model)
    }

    private static func model(
        _ command: String, _ arguments: JSONValue, _ ask: CapabilityProbe.Ask
    ) async throws -> JSONValue {
        switch try await ask([QMPCommand(command, arguments)]).first {
        case .success(let reply):
            guard let model = reply["model"] else {
                throw VirtError(.internalError, .qemu, "\(command) reply data was missing 'model'")
            }
            return model
        case .failure(let failure): throw failure.virtError
        case nil: throw VirtError(.internalError, .qemu, "\(command) had no reply")
        }
    }

    private static func cpu(_ model: JSONValue) throws(VirtError) -> CPU {
        guard let name = model["name"]?.string else {
            throw VirtError(.internalError, .qemu, "query-cpu-model reply data was missing 'name'")
        }
        var cpu = CPU()
        var value = CPU.Model()
        value.name = name
        cpu.model = value
        for (feature, value) in model["props"]?.object?.members.map({ ($0.key, $0.value) }) ?? [] where value == true {
            var entry = CPU.Feature()
            entry.name = feature
            cpu.features.append(entry)
        }
        return cpu
    }
}
