import QEMUMonitor
import VirtCore

/// The answers of one round, by what was asked.
///
/// Some refusals only say that this QEMU has no such thing. Any other, and an answer of another kind than the
/// question's, ends the probing: half of the facts would be taken for all of them.
struct Replies {
    private var values: [QMPCommand: JSONValue] = [:]

    init(commands: [QMPCommand], ask: CapabilityProbe.Ask) async throws {
        let outcomes = try await ask(commands)
        guard outcomes.count == commands.count else {
            throw VirtError(.internalError, .qemu, "Missing monitor reply object")
        }
        for (command, outcome) in zip(commands, outcomes) { values[command] = try Self.value(command, outcome) }
    }

    /// What a question was answered with; nil when QEMU hasn't got what it is about.
    static func value(_ command: QMPCommand, _ outcome: QMPSession.Outcome) throws(VirtError) -> JSONValue? {
        switch outcome {
        case .failure(let failure):
            guard absence(command.name).contains(failure.errorClass) else { throw failure.virtError }
            return nil
        case .success(let value):
            let fits = isList(command.name) ? value.array != nil : value.object != nil
            guard fits else {
                throw VirtError(.internalError, .qemu, "unexpected type returned by QEMU command '\(command.name)'")
            }
            return value
        }
    }

    /// The classes of refusals that only mean that there is nothing of the kind.
    private static func absence(_ command: String) -> Set<String> {
        switch command {
        case "device-list-properties", "qom-list-properties": ["DeviceNotFound"]
        case "query-kvm", "query-tpm-models", "query-tpm-types", "query-gic-capabilities": ["CommandNotFound"]
        // Known to some QEMU that can't do it for this architecture or on this host.
        case "query-cpu-definitions", "query-cpu-model-expansion", "query-sev-capabilities", "query-sgx-capabilities":
            ["CommandNotFound", "GenericError"]
        default: []
        }
    }

    private static func isList(_ command: String) -> Bool {
        switch command {
        case "query-version", "query-target", "query-kvm", "query-cpu-model-expansion", "query-sev-capabilities",
            "query-sgx-capabilities":
            false
        default: true
        }
    }

    /// The answer to a command without arguments; nil when QEMU has no such thing.
    subscript(name: String) -> JSONValue? { values[QMPCommand(name)] }

    /// The entries of an answer that is a list.
    func list(_ name: String) -> [JSONValue] { self[name]?.array ?? [] }

    /// The properties of a device or object type.
    func properties(_ command: String, of type: String) -> [JSONValue] {
        values[QMPCommand(command, ["typename": .string(type)])]?.array ?? []
    }

    /// A string that each entry of an answer has.
    func strings(_ name: String, member: String) throws(VirtError) -> Set<String> {
        var found: Set<String> = []
        for entry in list(name) { found.insert(try Self.string(member, of: entry, in: name)) }
        return found
    }

    /// A member without which an entry of an answer says nothing.
    static func string(_ member: String, of entry: JSONValue, in command: String) throws(VirtError) -> String {
        guard let text = entry[member]?.string else {
            throw VirtError(.internalError, .qemu, "\(command) reply data was missing '\(member)'")
        }
        return text
    }
}
