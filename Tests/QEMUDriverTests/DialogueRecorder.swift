import QEMUCommand
import QEMUMonitor
import Synchronization
import VirtCore
import VirtOS

@testable import QEMUDriver

/// Records what the probing asks an installed QEMU, and its answers, without what the probing never looks at.
enum DialogueRecorder {
    /// The lines of a dialogue.
    static func record(_ binary: String) async throws -> String {
        let loops = EventLoopGroup(count: 1, name: "record")
        let lines = Mutex<[JSONValue]>([])
        _ = try await CapabilityHelper.withQEMU(binary, accelerators: "tcg", user: nil, on: loops.next()) { ask in
            try await CapabilityProbe.run { commands in
                let outcomes = try await ask(commands)
                for (command, outcome) in zip(commands, outcomes) {
                    lines.withLock { $0.append(exchange(command, outcome)) }
                }
                return outcomes
            }
        }
        let greeting: JSONValue = [
            "reply": ["QMP": ["version": lines.withLock { version($0) }, "capabilities": ["oob"]]]
        ]
        let negotiation: JSONValue = ["request": ["execute": "qmp_capabilities"], "reply": ["return": [:]]]
        let all = [greeting, negotiation] + lines.withLock { $0 }
        return all.map { $0.description + "\n" }.joined()
    }

    private static func version(_ lines: [JSONValue]) -> JSONValue {
        lines.first { $0["request"]?["execute"] == "query-version" }?["reply"]?["return"] ?? .null
    }

    private static func exchange(_ command: QMPCommand, _ outcome: QMPSession.Outcome) -> JSONValue {
        var request: JSONObject = ["execute": .string(command.name)]
        if let arguments = command.arguments { request["arguments"] = arguments }
        let reply: JSONValue =
            switch outcome {
            case .success(let value): ["return": strip(value, of: command.name)]
            case .failure(let failure):
                ["error": ["class": .string(failure.errorClass), "desc": .string(failure.text)]]
            }
        return ["request": .object(request), "reply": reply]
    }

    private static func strip(_ value: JSONValue, of command: String) -> JSONValue {
        switch command {
        case "query-qmp-schema": schema(value)
        case "qom-list-types", "query-commands": project(value, ["name"])
        case "device-list-properties", "qom-list-properties": project(value, ["name", "default-value"])
        case "query-command-line-options": options(value)
        case "query-cpu-definitions": .array((value.array ?? []).enumerated().filter { $0.0 % 8 == 0 }.map(\.1))
        default: value
        }
    }

    private static func project(_ list: JSONValue, _ members: Set<String>) -> JSONValue {
        .array(
            (list.array ?? []).map { entry in
                .object(JSONObject(members: (entry.object?.members ?? []).filter { members.contains($0.key) }))
            })
    }

    private static func options(_ list: JSONValue) -> JSONValue {
        let kept = (list.array ?? []).filter { ["sandbox", "spice", "fsdev", "vnc"].contains($0["option"]?.string) }
        return .array(
            kept.map { ["option": $0["option"] ?? .null, "parameters": project($0["parameters"] ?? [], ["name"])] })
    }

    /// The commands whose types the probing follows, and those types.
    private static func schema(_ list: JSONValue) -> JSONValue {
        let roots = [
            "query-display-options", "chardev-add", "nbd-server-start", "screendump", "query-iothreads",
            "nbd-server-add", "query-hotpluggable-cpus", "query-named-block-nodes", "blockdev-snapshot",
            "set-numa-node", "netdev_add", "device_add", "calc-dirty-rate", "query-migrate",
        ]
        let entities = list.array ?? []
        var byName: [String: JSONValue] = [:]
        for entity in entities { byName[entity["name"]?.string ?? ""] = entity }
        var kept = Set(roots)
        var waiting = roots
        while let name = waiting.popLast(), let entity = byName[name] {
            for next in references(entity) where kept.insert(next).inserted { waiting.append(next) }
        }
        return .array(entities.filter { kept.contains($0["name"]?.string ?? "") })
    }

    private static func references(_ entity: JSONValue) -> [String] {
        let lists = ["members", "variants"].flatMap { entity[$0]?.array ?? [] }.map { $0["type"] }
        return (["arg-type", "ret-type", "element-type"].map { entity[$0] } + lists).compactMap { $0?.string }
    }
}
