import VirtCore

/// QEMU's description of its own protocol (`query-qmp-schema`), searched by paths.
///
/// A path starts with a command or event and goes on, with "/" between, from type to type: `arg-type` and `ret-type`
/// of a command, the name of a member, `+name` the variant of a union, `^name` a value of an enumeration or an
/// alternative, `$name` a feature.
struct QAPISchema {
    private let entities: [String: JSONValue]

    init(_ reply: JSONValue) {
        var entities: [String: JSONValue] = [:]
        for entity in reply.array ?? [] {
            if let name = entity["name"]?.string { entities[name] = entity }
        }
        self.entities = entities
    }

    /// Whether QEMU knows what the path names.
    func contains(_ path: String) -> Bool {
        let steps = path.split(separator: "/").map(String.init)
        guard let first = steps.first, var current = entities[first] else { return false }
        for (index, step) in steps.enumerated().dropFirst() {
            switch take(step, from: element(of: current)) {
            case .entity(let next): current = next
            case .leaf: return index == steps.count - 1
            case .missing: return false
            }
        }
        return true
    }

    private enum Found {
        case entity(JSONValue)
        case leaf
        case missing
    }

    /// An array stands for what it holds.
    private func element(of entity: JSONValue) -> JSONValue {
        guard entity["meta-type"]?.string == "array", let next = type(entity["element-type"]) else { return entity }
        return next
    }

    private func type(_ reference: JSONValue?) -> JSONValue? { reference?.string.flatMap { entities[$0] } }

    private func take(_ step: String, from entity: JSONValue) -> Found {
        let name = String(step.dropFirst())
        switch step.first {
        case "$":
            return entity["features"]?.array?.contains(.string(name)) == true ? .leaf : .missing
        case "^":
            return holds(name, entity) ? .leaf : .missing
        case "+":
            let variant = entity["variants"]?.array?.first { $0["case"]?.string == name }
            return found(type(variant?["type"]))
        default:
            if step == "arg-type" || step == "ret-type" { return found(type(entity[step])) }
            let member = entity["members"]?.array?.first { $0["name"]?.string == step }
            return found(type(member?["type"]))
        }
    }

    private func found(_ entity: JSONValue?) -> Found { entity.map { .entity($0) } ?? .missing }

    private func holds(_ value: String, _ entity: JSONValue) -> Bool {
        if entity["values"]?.array?.contains(.string(value)) == true { return true }
        return entity["members"]?.array?.contains { $0["name"]?.string == value } == true
    }
}
