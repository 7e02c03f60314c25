import Glibc
import QEMUMonitor
import Synchronization
import Testing
import VirtCore
import VirtOS

/// QEMU's side of a monitor: reads lines and writes what a test says, on a thread of its own.
final class FakeQEMU: Sendable {
    let monitorSide: DescriptorBox
    private let own: DescriptorBox

    init() throws {
        var pair: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
        monitorSide = DescriptorBox(OwnedDescriptor(pair[0]))
        own = DescriptorBox(OwnedDescriptor(pair[1]))
    }

    func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { part in
                send(own.rawValue, part.baseAddress, part.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    func hangUp() { shutdown(own.rawValue, Int32(SHUT_RDWR)) }

    /// Reads commands and answers each with what `reply` makes of it, until the monitor closes.
    func serve(_ reply: @escaping @Sendable (JSONValue) -> String?) {
        let descriptor = own
        Thread.detach {
            var framer = QMPFramer(limit: 1 << 20)
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = recv(descriptor.rawValue, &buffer, buffer.count, 0)
                guard count > 0 else { return }
                var lines: [JSONValue] = []
                buffer.withUnsafeBytes { bytes in
                    let part = UnsafeRawBufferPointer(rebasing: bytes[..<count])
                    try? framer.feed(part) { line throws(VirtError) in lines.append(try JSONParser.parse(line)) }
                }
                for line in lines {
                    if let text = reply(line) { self.write(text) }
                }
            }
        }
    }
}

/// A thread for blocking reads of tests.
enum Thread {
    private final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    static func detach(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body)).toOpaque()
        pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, box)
        pthread_detach(thread)
    }
}

func success(_ command: JSONValue, _ value: JSONValue = [:]) -> String {
    JSONValue.object(["return": value, "id": command["id"] ?? .null]).description + "\r\n"
}

@Suite(.timeLimit(.minutes(1))) struct QEMUMonitorTests {
    let loop = EventLoopGroup(count: 1).next()

    private func open(_ qemu: FakeQEMU, _ callbacks: QEMUMonitor.Callbacks = .init()) async throws -> QEMUMonitor {
        qemu.write(greetingLine)
        return try await QEMUMonitor.open(qemu.monitorSide, loop: loop, callbacks: callbacks)
    }

    @Test func `a command gets its reply`() async throws {
        let qemu = try FakeQEMU()
        qemu.serve { success($0, ["echo": $0["execute"] ?? .null]) }
        let monitor = try await open(qemu)
        try await monitor.negotiate()
        #expect(try await monitor.execute("query-status") == ["echo": "query-status"])
        #expect(await monitor.version?.major == 7)
        await monitor.close()
    }

    @Test func `a refusal becomes libvirt's error`() async throws {
        let qemu = try FakeQEMU()
        qemu.serve { command in
            let id = command["id"]?.string ?? ""
            return #"{"id":"\#(id)","error":{"class":"DeviceNotFound","desc":"Device 'x' not found"}}"# + "\n"
        }
        let monitor = try await open(qemu)
        let expected = VirtError(
            .internalError, .qemu, "unable to execute QEMU command 'device_del': Device 'x' not found")
        await #expect(throws: expected) { try await monitor.execute("device_del", ["id": "x"]) }
        await monitor.close()
    }

    @Test func `a batch is answered in its order`() async throws {
        let qemu = try FakeQEMU()
        qemu.serve { success($0, $0["arguments"]?["n"] ?? .null) }
        let monitor = try await open(qemu)
        let commands = (0..<500).map { QMPCommand("get", ["n": .integer($0)]) }
        let outcomes = try await monitor.executeAll(commands)
        #expect(outcomes == (0..<500).map { .success(.integer($0)) })
        await monitor.close()
    }

    @Test func `events arrive in order`() async throws {
        let qemu = try FakeQEMU()
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let monitor = try await open(qemu, .init(event: { continuation.yield($0.name) }))
        qemu.write(#"{"event":"STOP"}"# + "\n" + #"{"event":"RESUME"}"# + "\n" + #"{"event":"SHUTDOWN"}"# + "\n")
        var names: [String] = []
        for await name in stream {
            names.append(name)
            if names.count == 3 { break }
        }
        #expect(names == ["STOP", "RESUME", "SHUTDOWN"])
        await monitor.close()
    }

    @Test(arguments: ["garbage\n", "{\"return\":{},\"id\":\"libvirt-77\"}\n", "\u{0}\u{1}\u{2}\n"])
    func `nonsense ends the monitor and every waiting command`(text: String) async throws {
        let qemu = try FakeQEMU()
        let (stream, continuation) = AsyncStream.makeStream(of: VirtError.self)
        let monitor = try await open(qemu, .init(close: { continuation.yield($0) }))
        qemu.serve { _ in text }
        await #expect(throws: VirtError.self) { try await monitor.execute("a") }
        for await reason in stream {
            #expect(reason.code == .internalError)
            break
        }
        await #expect(throws: VirtError.self) { try await monitor.execute("b") }
    }

    @Test func `QEMU going away is the end of file`() async throws {
        let qemu = try FakeQEMU()
        let monitor = try await open(qemu)
        qemu.serve { _ in
            qemu.hangUp()
            return nil
        }
        let expected = VirtError(.internalError, .qemu, QEMUMonitor.endOfFile)
        await #expect(throws: expected) { try await monitor.execute("quit") }
    }

    @Test func `a late answer is dropped and the monitor lives on`() async throws {
        let qemu = try FakeQEMU()
        let first = Mutex<JSONValue?>(nil)
        qemu.serve { command in
            if command["execute"] == "slow" {
                first.withLock { $0 = command }
                return nil
            }
            return first.withLock { $0.map { success($0) } ?? "" } + success(command)
        }
        let monitor = try await open(qemu)
        do {
            try await monitor.execute("slow", timeout: .milliseconds(20))
            Issue.record("the command should have timed out")
        } catch let error as VirtError {
            #expect(error.code == .operationTimeout)
        }
        #expect(try await monitor.execute("next") == [:])
        await monitor.close()
    }

    @Test func `a cancelled command stops waiting`() async throws {
        let qemu = try FakeQEMU()
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        qemu.serve { _ in
            continuation.yield()
            return nil
        }
        let monitor = try await open(qemu)
        let task = Task { try await monitor.execute("forever") }
        for await _ in stream { break }
        task.cancel()
        await #expect(throws: VirtError.self) { try await task.value }
        await monitor.close()
    }

    @Test func `no greeting is an error`() async throws {
        let qemu = try FakeQEMU()
        await #expect(throws: VirtError.self) {
            try await QEMUMonitor.open(qemu.monitorSide, loop: loop, timeout: .milliseconds(20))
        }
    }
}
