import Synchronization
import Testing
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

@testable import VirtDaemon

/// Whole daemons below a directory of their own, in this process.
@Suite(.serialized) struct DaemonStartTests {
    private final class Driver: DaemonDriver {
        let calls = Mutex<[String]>([])
        let startError: VirtError?
        /// Held until the test has its client, however long that takes: no daemon is idle meanwhile.
        let inhibitor = Mutex<Inhibitor?>(nil)

        init(startError: VirtError? = nil) { self.startError = startError }

        func handlerTables() -> [HandlerTable] {
            var table = HandlerTable(RemoteProgram.description)
            RemoteConnectionHandlers.install(into: &table, ConnectionOptions(scheme: "test", type: "TEST"))
            return [table]
        }
        func start() async throws {
            note("start")
            if let startError { throw startError }
        }
        func becomeIdle() { inhibitor.withLock { $0?.release("test") } }
        func reload() async { note("reload") }
        func stop() async { note("stop") }
        private func note(_ call: String) { calls.withLock { $0.append(call) } }
    }

    private let directory = TemporaryDirectory()

    private func daemon(_ driver: Driver, timeout: UInt32 = 1) throws -> DaemonStart {
        var options = DaemonOptions()
        options.root = directory.path
        options.timeout = timeout
        let description = DaemonDescription(
            name: "virttestd",
            makeDriver: { context in
                context.inhibitor.hold("test")
                driver.inhibitor.withLock { $0 = context.inhibitor }
                return driver
            })
        return try DaemonStart(description, options, "virttestd")
    }

    private func exists(_ path: String) -> Bool { FileSystem.exists("\(directory.path)/\(path)") }

    /// The driver notes its start when all sockets listen; clients then wait in the backlog.
    private func connect(_ name: String) async throws -> RPCClient {
        let loop = EventLoopGroup(count: 1, name: "client").next()
        let path = "\(directory.path)/run/libvirt/\(name)"
        let deadline = MonotonicTime.now() + .seconds(20)
        while MonotonicTime.now() < deadline {
            if let client = try? await RPCClient.connect(path: path, loop: loop) { return client }
            await Task.yield()
        }
        return try await RPCClient.connect(path: path, loop: loop)
    }

    @Test func `a daemon serves while a client is there, ends when idle, and takes its files with it`() async throws {
        let driver = Driver()
        let start = try daemon(driver)
        async let status = BlockingPool.shared.run { start.run() }
        let client = try await connect("virttestd-admin-sock")
        let servers = try await client.call(
            AdminProgram.ConnectListServers.self, AdminConnectListServersArgs(needResults: 1, flags: 0))
        driver.becomeIdle()
        #expect(servers.servers.map(\.name) == ["virttestd", "admin"])
        for file in ["run/virttestd.pid", "run/libvirt/virttestd-sock", "run/libvirt/virttestd-sock-ro"] {
            #expect(exists(file), "\(file)")
        }
        client.close()
        #expect(try await status == 0)
        #expect(driver.calls.withLock { $0 } == ["start", "stop"])
        for file in ["virttestd.pid", "libvirt/virttestd-sock", "libvirt/virttestd-admin-sock"] {
            #expect(!exists("run/" + file), "\(file)")
        }
    }

    @Test func `a driver that cannot start ends its daemon with an error`() async throws {
        let driver = Driver(startError: VirtError(.internalError, .none, "no"))
        let start = try daemon(driver, timeout: 0)
        #expect(try await BlockingPool.shared.run { start.run() } == 1)
        #expect(driver.calls.withLock { $0 } == ["start", "stop"])
        #expect(!exists("run/virttestd.pid"))
        #expect(!exists("run/libvirt/virttestd-sock"))
    }

    @Test func `an explicit configuration file must exist, and a wrong one ends the start`() throws {
        var options = DaemonOptions()
        options.root = directory.path
        options.configPath = directory.path + "/none.conf"
        let description = DaemonDescription(name: "virttestd", makeDriver: { _ in Driver() })
        #expect(throws: StartFailure.self) { try DaemonStart(description, options, "virttestd") }
        try directory.write("etc/libvirt/virttestd.conf", "max_clients = \"many\"\n")
        options.configPath = nil
        let problem = "Can't load config file: internal error: \(directory.path)/etc/libvirt/virttestd.conf:1: "
        #expect {
            try DaemonStart(description, options, "virttestd")
        } throws: { error in
            (error as? StartFailure)?.cause.message.hasPrefix(problem) == true
                && (error as? StartFailure)?.step == .configuration
        }
    }
}
