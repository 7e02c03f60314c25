import Glibc
import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtOS

/// A QEMU that only talks: it answers each command of a monitor's far end with what was recorded for it, whatever the
/// order of the questions.
struct RecordedQEMU: Sendable {
    /// What goes wrong while it talks.
    enum Fault: Sendable, Equatable {
        /// Ends the connection instead of the answer of that number.
        case endAt(Int)
        /// Sends half of the answer of that number, then ends the connection.
        case truncateAt(Int)
        /// Sends an event before each answer.
        case events
        /// Never answers that command.
        case silentOn(String)
        /// Answers in the reverse order, what came together.
        case lastFirst
    }

    var greeting = JSONValue.null
    /// Members of an answer but its id, by question.
    var answers: [QMPCommand: JSONObject] = [:]
    var fault: Fault?

    /// Reads a dialogue: an exchange (`request`, `reply`) a line, the greeting's reply by itself.
    init(dialogue: some StringProtocol) throws {
        for line in dialogue.split(separator: "\n") {
            let exchange = try JSONParser.parse(Array(line.utf8)[...])
            if let request = exchange["request"], let name = request["execute"]?.string {
                var reply = exchange["reply"]?.object ?? JSONObject()
                reply["id"] = nil
                answers[QMPCommand(name, request["arguments"])] = reply
            } else if let reply = exchange["reply"] {
                greeting = reply
            }
        }
    }

    /// Another answer to one question, wherever it stands: `{"return": ...}` or `{"error": ...}`.
    func answering(_ name: String, with answer: JSONObject) -> RecordedQEMU {
        var other = self
        for command in answers.keys where command.name == name { other.answers[command] = answer }
        return other
    }

    /// The same with short lists: quick to talk through where only the talking matters.
    var abridged: RecordedQEMU {
        var other = self
        for (command, answer) in answers where command.name != "query-commands" {
            guard let list = answer["return"]?.array, list.count > 8 else { continue }
            other.answers[command] = ["return": .array(Array(list.prefix(8)))]
        }
        return other
    }

    func failing(_ fault: Fault) -> RecordedQEMU {
        var other = self
        other.fault = fault
        return other
    }

    /// What the probing finds out through the very monitor that a real QEMU is asked through.
    ///
    /// - Parameter timeout: how long a round of questions may take.
    func probe(
        timeout: Duration = .seconds(30),
        _ body: @escaping @Sendable (CapabilityProbe.Ask) async throws -> QEMUCapabilities = {
            try await CapabilityProbe.run(ask: $0)
        }
    ) async throws -> QEMUCapabilities {
        var pair: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &pair) == 0 else { throw VirtError.system(errno, .qemu, "socketpair") }
        let ours = DescriptorBox(OwnedDescriptor(pair[0]))
        let theirs = DescriptorBox(OwnedDescriptor(pair[1]))
        let loops = EventLoopGroup(count: 1, name: "replay")
        async let talking: Void = Self.pool.run { talk(theirs) }
        let result: Result<QEMUCapabilities, any Error>
        do {
            let monitor = try await QEMUMonitor.open(ours, loop: loops.next())
            do {
                try await monitor.negotiate()
                result = .success(try await body { try await monitor.executeAll($0, timeout: timeout) })
            } catch {
                result = .failure(error)
            }
            await monitor.close()
        } catch {
            result = .failure(error)
        }
        shutdown(ours.rawValue, Int32(SHUT_RDWR))
        try await talking
        return try result.get()
    }

    private static let pool = BlockingPool(maximumThreads: 16)

    /// QEMU's side, until the monitor is closed.
    private func talk(_ socket: DescriptorBox) {
        guard write(greeting.description + "\r\n", socket) else { return }
        var framer = QMPFramer(limit: 1 << 24)
        var buffer = [UInt8](repeating: 0, count: 65536)
        var number = 0
        while true {
            let count = recv(socket.rawValue, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            var requests: [JSONValue] = []
            buffer.withUnsafeBytes { bytes in
                let part = UnsafeRawBufferPointer(rebasing: bytes[..<count])
                try? framer.feed(part) { line throws(VirtError) in requests.append(try JSONParser.parse(line)) }
            }
            if fault == .lastFirst { requests.reverse() }
            for request in requests {
                number += 1
                guard answer(request, number, socket) else {
                    shutdown(socket.rawValue, Int32(SHUT_RDWR))
                    return
                }
            }
        }
    }

    /// - Returns: whether the connection goes on.
    private func answer(_ request: JSONValue, _ number: Int, _ socket: DescriptorBox) -> Bool {
        let command = QMPCommand(request["execute"]?.string ?? "", request["arguments"])
        var reply = answers[command] ?? refusal(command)
        reply["id"] = request["id"]
        let line = JSONValue.object(reply).description + "\r\n"
        switch fault {
        case .endAt(number): return false
        case .truncateAt(number):
            _ = write(line.prefix(line.count / 2), socket)
            return false
        case .silentOn(command.name): return true
        case .events:
            let event = #"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RESUME"}"# + "\r\n"
            return write(event + line, socket)
        default: return write(line, socket)
        }
    }

    /// QEMU's words for what it hasn't got.
    private func refusal(_ command: QMPCommand) -> JSONObject {
        let isType = command.name.hasSuffix("list-properties")
        return [
            "error": [
                "class": isType ? "DeviceNotFound" : "CommandNotFound",
                "desc": .string("The command \(command.name) has not been found"),
            ]
        ]
    }

    private func write(_ text: some StringProtocol, _ socket: DescriptorBox) -> Bool {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { send(socket.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            bytes = bytes.dropFirst(count)
        }
        return true
    }
}
