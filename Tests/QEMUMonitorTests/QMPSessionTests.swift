import QEMUMonitor
import Testing
import VirtCore

let greetingLine =
    #"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2"}, "capabilities": ["oob"]}}"#
    + "\r\n"

extension QMPSession {
    mutating func receive(_ text: String) throws -> [Step] { try receive(Array(text.utf8)) }

    mutating func receive(_ bytes: [UInt8]) throws -> [Step] {
        var steps: [Step] = []
        var failure: VirtError?
        bytes.withUnsafeBytes { bytes in
            do throws(VirtError) { try receive(bytes) { steps.append($0) } } catch { failure = error }
        }
        if let failure { throw failure }
        return steps
    }
}

@Suite struct QMPSessionTests {
    @Test func `the greeting tells the version`() throws {
        var session = QMPSession()
        guard case .greeting(let greeting) = try session.receive(greetingLine).first else {
            Issue.record("no greeting")
            return
        }
        #expect([greeting.major, greeting.minor, greeting.micro] == [7, 2, 22])
        #expect(greeting.package == "Debian 1:7.2")
        #expect(greeting.hasOutOfBand)
    }

    @Test func `commands carry ids that count up`() {
        var session = QMPSession()
        let first = session.command("qmp_capabilities", nil)
        let second = session.command("qom-get", ["path": "/machine", "property": "type"])
        #expect(
            String(decoding: first.line, as: UTF8.self) == "{\"execute\":\"qmp_capabilities\",\"id\":\"libvirt-1\"}\r\n"
        )
        #expect(
            String(decoding: second.line, as: UTF8.self)
                == "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine\",\"property\":\"type\"},\"id\":\"libvirt-2\"}\r\n"
        )
    }

    @Test func `replies find their command whatever their order`() throws {
        var session = QMPSession()
        _ = session.command("a", nil)
        _ = session.command("b", nil)
        let steps = try session.receive(
            #"{"id": "libvirt-2", "error": {"class": "DeviceNotFound", "desc": "no 'x'"}}"# + "\n"
                + #"{"return": {}, "id": "libvirt-1"}"# + "\n")
        let failure = QMPFailure(command: "b", errorClass: "DeviceNotFound", text: "no 'x'")
        #expect(steps == [.reply(serial: 2, .failure(failure)), .reply(serial: 1, .success([:]))])
        #expect(failure.virtError.message == "internal error: unable to execute QEMU command 'b': no 'x'")
        #expect(session.outstanding == 0)
    }

    @Test func `events carry data and time`() throws {
        var session = QMPSession()
        let line =
            #"{"timestamp": {"seconds": 1795449988, "microseconds": 515685}, "event": "SHUTDOWN", "data": {"guest": true}}"#
        let steps = try session.receive(line + "\n")
        let event = QMPEvent(
            name: "SHUTDOWN", data: ["guest": true], seconds: 1_795_449_988, microseconds: 515_685)
        #expect(steps == [.event(event)])
    }

    @Test func `any split of the stream gives the same steps`() throws {
        let text = greetingLine + "\n\n" + #"{"event": "STOP"}"# + "\r\n" + #"{"return": 1, "id": "libvirt-1"}"# + "\n"
        let stream = Array(text.utf8)
        for size in [1, 2, 3, 7, 64, stream.count] {
            var session = QMPSession()
            _ = session.command("a", nil)
            var count = 0
            for start in stride(from: 0, to: stream.count, by: size) {
                count += try session.receive(Array(stream[start..<min(start + size, stream.count)])).count
            }
            #expect(count == 3)
        }
    }

    @Test(arguments: [
        "garbage\n", "[]\n", "{}\n", #"{"return": {}}"# + "\n", #"{"return": {}, "id": "libvirt-1"}"# + "\n",
        #"{"return": {}, "id": 1}"# + "\n", #"{"QMP": {}}"# + "\n", #"{"error": {}, "id": "libvirt-9"}"# + "\n",
        #"{"return": {}, "id": "libvirt-99999999999999999999999"}"# + "\n", greetingLine + greetingLine,
    ])
    func `what QEMU never says ends the session`(text: String) {
        var session = QMPSession()
        #expect(throws: VirtError.self) { try session.receive(text) }
    }

    @Test func `an answer is taken once`() throws {
        var session = QMPSession()
        _ = session.command("a", nil)
        let line = #"{"return": {}, "id": "libvirt-1"}"# + "\n"
        _ = try session.receive(line)
        #expect(throws: VirtError.self) { try session.receive(line) }
    }

    @Test func `a line without end is given up at the limit`() throws {
        var session = QMPSession(lineLimit: 1000)
        _ = try session.receive([UInt8](repeating: 0x20, count: 1000))
        #expect(throws: VirtError.self) { try session.receive([0x20]) }
    }

    @Test func `invalid UTF-8 ends the session`() {
        var session = QMPSession()
        #expect(throws: VirtError.self) { try session.receive([0x22, 0xFF, 0xFE, 0x22, 0x0A]) }
    }

    @Test func `a client's command gets our id`() throws {
        var session = QMPSession()
        let value = try JSONParser.parse(#"{"execute":"query-status","id":"mine","arguments":{}}"#)
        let object = try #require(value.object)
        let (serial, line) = session.passthrough(object)
        #expect(serial == 1)
        #expect(
            String(decoding: line, as: UTF8.self)
                == "{\"execute\":\"query-status\",\"id\":\"libvirt-1\",\"arguments\":{}}\r\n")
    }
}
