import Glibc
import QEMUMonitor
import Synchronization
import VirtCore
import VirtOS

/// A process that a driver takes for a guest's QEMU, with a monitor that answers as the test says.
final class FakeQEMU: Sendable {
    let pid: Int32
    let path: String
    private let process: RunningChild
    private let listener: DescriptorBox
    private let connection = Mutex<DescriptorBox?>(nil)
    private let replies = Mutex<[String: String]>([:])
    let commands = Record()
    private static let pool = BlockingPool(maximumThreads: 16)

    /// - Parameter uuid: stands on the process's command line, as a guest's does.
    init(path: String, uuid: UUID) throws {
        self.path = path
        listener = DescriptorBox(try UnixSocket.listen(path: path, mode: 0o700))
        try listener.descriptor.setNonBlocking(false)
        process = try ChildProcess.spawn(ChildProcess("/usr/bin/perl", ["-e", "sleep 100", uuid.description]))
        pid = process.pid
    }

    /// What a command is answered with; without one, `{}`.
    func answer(_ command: String, _ json: String) {
        replies.withLock { $0[command] = json }
    }

    /// Serves one connection on a thread of its own.
    func serve() {
        Task.detached { _ = try? await Self.pool.run { self.run() } }
    }

    private func run() {
        let raw = accept(listener.rawValue, nil, nil)
        guard raw >= 0 else { return }
        let socket = DescriptorBox(OwnedDescriptor(raw))
        connection.withLock { $0 = socket }
        write(socket, #"{"QMP":{"version":{"qemu":{"micro":22,"minor":2,"major":7},"package":""},"capabilities":[]}}"#)
        var rest: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(raw, &buffer, buffer.count)
            guard count > 0 else { return }
            rest += buffer[0..<count]
            while let end = rest.firstIndex(of: 0x0A) {
                handle(Array(rest[..<end]), socket)
                rest.removeSubrange(...end)
            }
        }
    }

    private func handle(_ line: [UInt8], _ socket: DescriptorBox) {
        guard let command = try? JSONParser.parse(line[...]), let name = command["execute"]?.string,
            let id = command["id"]
        else { return }
        commands.add(name)
        let reply = replies.withLock { $0[name] } ?? "{}"
        write(socket, #"{"return": "# + reply + #", "id": "# + id.description + "}")
    }

    private func write(_ socket: DescriptorBox, _ line: String) {
        let bytes = Array((line + "\r\n").utf8)
        _ = Glibc.write(socket.rawValue, bytes, bytes.count)
    }

    /// Sends an event.
    func event(_ name: String, _ data: String = "{}") {
        guard let socket = connection.withLock({ $0 }) else { return }
        write(
            socket, #"{"timestamp":{"seconds":1,"microseconds":2},"event":"# + "\"\(name)\"" + #","data":"# + data + "}"
        )
    }

    /// Ends the process and its connection, as a guest's end does.
    func end() {
        process.kill(SIGKILL)
        // Whoever waits for a connection waits no more.
        shutdown(listener.rawValue, Int32(SHUT_RDWR))
        if let socket = connection.withLock({ $0 }) { shutdown(socket.rawValue, Int32(SHUT_RDWR)) }
    }

    /// The same, until the process is gone.
    func endAndWait() async {
        end()
        _ = await process.waitExit()
    }

    deinit {
        process.kill(SIGKILL)
        unlink(path)
    }
}
