package import VirtCore

/// QMP as a state machine without I/O: bytes in, steps out. Every command gets the id `libvirt-N`; its reply is found
/// by that id, so that any number of commands can be under way.
package struct QMPSession: Sendable {
    /// What the owner of the session has to do next.
    package enum Step: Sendable, Equatable {
        /// QEMU greeted; answer with `qmp_capabilities`.
        case greeting(QMPGreeting)
        /// The reply to the command of that serial.
        case reply(serial: UInt64, Outcome)
        case event(QMPEvent)
    }

    /// What became of a command.
    package enum Outcome: Sendable, Equatable {
        case success(JSONValue)
        case failure(QMPFailure)
    }

    /// The longest line that is accepted from QEMU.
    package static let defaultLineLimit = 64 << 20

    private var framer: QMPFramer
    private var greeted = false
    private var nextSerial: UInt64 = 1
    /// The commands without a reply: serial and name.
    private var waiting: [UInt64: String] = [:]

    package init(lineLimit: Int = QMPSession.defaultLineLimit) {
        framer = QMPFramer(limit: lineLimit)
    }

    /// How many commands have no reply yet.
    package var outstanding: Int { waiting.count }

    /// Puts a command into words.
    ///
    /// - Returns: its serial, and the line to be sent.
    package mutating func command(_ name: String, _ arguments: JSONValue?) -> (serial: UInt64, line: [UInt8]) {
        let serial = nextSerial
        nextSerial += 1
        waiting[serial] = name
        var object: JSONObject = ["execute": .string(name)]
        object["arguments"] = arguments
        object["id"] = .string("libvirt-\(serial)")
        var line: [UInt8] = []
        JSONValue.object(object).append(to: &line)
        line.append(contentsOf: [0x0D, 0x0A])
        return (serial, line)
    }

    /// Puts a command written by a client into words: its `id`, if any, gives way to ours.
    package mutating func passthrough(_ command: JSONObject) -> (serial: UInt64, line: [UInt8]) {
        let serial = nextSerial
        nextSerial += 1
        waiting[serial] = (command["execute"] ?? command["exec-oob"])?.string ?? "<unknown>"
        var object = command
        object["id"] = .string("libvirt-\(serial)")
        return (serial, JSONValue.object(object).serialized() + [0x0D, 0x0A])
    }

    /// Takes what QEMU sent. An error ends the session: the other side no longer speaks QMP.
    package mutating func receive(
        _ bytes: UnsafeRawBufferPointer, step: (Step) -> Void
    ) throws(VirtError) {
        var lines: [ArraySlice<UInt8>] = []
        try unsafe framer.feed(bytes) { (line) throws(VirtError) in lines.append(line) }
        for line in lines {
            if let next = try message(line) { step(next) }
        }
    }

    private mutating func message(_ line: ArraySlice<UInt8>) throws(VirtError) -> Step? {
        guard case .object(let object) = try JSONParser.parse(line) else {
            throw Self.failure("Parsed JSON reply", line, "isn't an object")
        }
        if let greeting = object["QMP"] { return try greet(greeting, line) }
        if let name = object["event"]?.string { return .event(Self.event(name, object)) }
        if object["error"] != nil || object["return"] != nil { return try reply(object, line) }
        throw Self.failure("Unknown JSON reply", line)
    }

    private mutating func greet(_ value: JSONValue, _ line: ArraySlice<UInt8>) throws(VirtError) -> Step {
        guard !greeted, let greeting = QMPGreeting(value) else { throw Self.failure("Unexpected JSON reply", line) }
        greeted = true
        return .greeting(greeting)
    }

    private static func event(_ name: String, _ object: JSONObject) -> QMPEvent {
        QMPEvent(
            name: name, data: object["data"] ?? .null, seconds: object["timestamp"]?["seconds"]?.int ?? -1,
            microseconds: object["timestamp"]?["microseconds"]?.int ?? -1)
    }

    private mutating func reply(_ object: JSONObject, _ line: ArraySlice<UInt8>) throws(VirtError) -> Step {
        guard let serial = Self.serial(object["id"]), let command = waiting.removeValue(forKey: serial) else {
            throw Self.failure("Unexpected JSON reply", line)
        }
        if let value = object["return"] { return .reply(serial: serial, .success(value)) }
        let failure = QMPFailure(
            command: command, errorClass: object["error"]?["class"]?.string ?? "GenericError",
            text: object["error"]?["desc"]?.string ?? "")
        return .reply(serial: serial, .failure(failure))
    }

    private static func serial(_ id: JSONValue?) -> UInt64? {
        guard let id = id?.string, id.hasPrefix("libvirt-") else { return nil }
        return UInt64(id.dropFirst("libvirt-".count))
    }

    /// Shows the start of a line that makes no sense: whole lines may have megabytes.
    private static func failure(_ text: String, _ line: ArraySlice<UInt8>, _ end: String = "") -> VirtError {
        let start = String(decoding: line.prefix(200), as: UTF8.self)
        return VirtError(.internalError, .qemu, "\(text) '\(start)'" + (end.isEmpty ? "" : " \(end)"))
    }
}
