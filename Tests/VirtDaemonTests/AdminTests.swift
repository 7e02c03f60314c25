import Testing
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

@testable import VirtDaemon

/// The admin program of a daemon with a main server, over a real socket.
@Suite struct AdminTests {
    private static let loops = EventLoopGroup(count: 1, name: "admin-test")
    private let directory = TemporaryDirectory()
    private let main: RPCServer
    private let client: RPCClient
    /// Timeouts that clients set.
    private let timeouts = OneShot<UInt32>()
    private let server = AdminNonnullServer(name: "virtqemud")
    private let admin = AdminNonnullServer(name: "admin")

    init() async throws {
        main = RPCServer(name: "virtqemud", loops: Self.loops, programs: [])
        let setup = LogSetup(
            system: LogSystem(), name: "virtqemud", paths: DaemonPaths(root: directory.path), level: .warning,
            isDaemon: true, isJournalThere: false, isInteractive: false)
        try setup.setOutputs(nil)
        let service = AdminService(logSetup: setup) { [timeouts] in timeouts.fulfil($0) }
        let server = RPCServer(
            name: "admin", loops: Self.loops, programs: [AdminHandlers.table(service)],
            limits: ServerLimits(maxClients: 5000, maxAnonymousClients: 0))
        service.add(ServedServer(server: main, workers: WorkerNumbers(minimum: 5, maximum: 20, priority: 5)))
        service.add(ServedServer(server: server, workers: WorkerNumbers(minimum: 5, maximum: 20, priority: 0)))
        let pair = try UnixSocket.pair()
        server.adopt(pair.first, readOnly: false, authentication: .none)
        client = try await RPCClient(adopting: pair.second, loop: Self.loops.next())
    }

    @Test func `the daemon's servers are listed and found by name`() async throws {
        let list = try await client.call(
            AdminProgram.ConnectListServers.self, AdminConnectListServersArgs(needResults: 1, flags: 0))
        #expect(list.servers.map(\.name) == ["virtqemud", "admin"])
        let count = try await client.call(
            AdminProgram.ConnectListServers.self, AdminConnectListServersArgs(needResults: 0, flags: 0))
        #expect(count.servers.isEmpty && count.ret == 2)
        await #expect(throws: VirtError(.noServer, .rpc, "No server named 'nope'")) {
            try await client.call(
                AdminProgram.ConnectLookupServer.self, AdminConnectLookupServerArgs(name: "nope", flags: 0))
        }
    }

    @Test func `a client is listed with its identity and can be disconnected`() async throws {
        let list = try await client.call(
            AdminProgram.ServerListClients.self, AdminServerListClientsArgs(srv: admin, needResults: 1, flags: 0))
        let entry = try #require(list.clients.first)
        #expect(entry.id == 1 && entry.transport == 0 && entry.timestamp > 0)
        let info = try await client.call(
            AdminProgram.ClientGetInfo.self, AdminClientGetInfoArgs(clnt: entry, flags: 0))
        #expect(info.params.first == TypedParameter("readonly", .boolean(false)))
        #expect(info.params.map(\.field).contains("unix_process_id"))
        await #expect(throws: VirtError(.noClient, .rpc, "No client with matching ID '12345'")) {
            try await client.call(
                AdminProgram.ServerLookupClient.self, AdminServerLookupClientArgs(srv: admin, id: 12345, flags: 0))
        }
        let gone = OneShot<Bool>()
        client.onClose { gone.fulfil(true) }
        _ = try? await client.call(AdminProgram.ClientClose.self, AdminClientCloseArgs(clnt: entry, flags: 0))
        #expect(await gone.wait())
    }

    private func workers() async throws -> [TypedParameter] {
        try await client.call(
            AdminProgram.ServerGetThreadpoolParameters.self,
            AdminServerGetThreadpoolParametersArgs(srv: server, flags: 0)
        ).params
    }

    private func setWorkers(_ parameters: (String, TypedValue)...) async throws {
        _ = try await client.call(
            AdminProgram.ServerSetThreadpoolParameters.self,
            AdminServerSetThreadpoolParametersArgs(
                srv: server, params: parameters.map { TypedParameter($0.0, $0.1) }, flags: 0))
    }

    @Test func `worker numbers are kept as set`() async throws {
        #expect(try await workers().map(\.value) == [5, 20, 5, 5, 5, 0].map { .uint($0) })
        try await setWorkers(("minWorkers", .uint(3)), ("maxWorkers", .uint(30)), ("prioWorkers", .uint(7)))
        #expect(try await workers().map(\.value) == [3, 30, 5, 5, 7, 0].map { .uint($0) })
    }

    @Test func `wrong worker numbers get libvirt's errors`() async throws {
        await #expect(throws: VirtError(.invalidArg, .none, "minWorkers cannot be larger than maxWorkers")) {
            try await setWorkers(("minWorkers", .uint(21)))
        }
        await #expect(throws: VirtError(.argumentUnsupported, .none, "parameter 'nWorkers' not supported")) {
            try await setWorkers(("nWorkers", .uint(3)))
        }
        let type = "invalid type 'int' for parameter 'minWorkers', expected 'uint'"
        await #expect(throws: VirtError(.invalidArg, .none, type)) { try await setWorkers(("minWorkers", .int(3))) }
        await #expect(throws: VirtError(.invalidArg, .none, "parameter 'minWorkers' occurs multiple times")) {
            try await setWorkers(("minWorkers", .uint(3)), ("minWorkers", .uint(3)))
        }
        let zero = "maxWorkers must not be switched from zero to non-zero and vice versa"
        await #expect(throws: VirtError(.invalidArg, .none, zero)) {
            try await setWorkers(("minWorkers", .uint(0)), ("maxWorkers", .uint(0)))
        }
    }

    @Test func `limits of clients change the server's own`() async throws {
        func set(_ field: String, _ value: UInt32) async throws {
            _ = try await client.call(
                AdminProgram.ServerSetClientLimits.self,
                AdminServerSetClientLimitsArgs(srv: server, params: [TypedParameter(field, .uint(value))], flags: 0))
        }
        try await set("nclients_max", 50)
        #expect(main.core.limits.maxClients == 50)
        await #expect(throws: VirtError.self) { try await set("nclients_unauth_max", 51) }
        await #expect(throws: VirtError.self) { try await set("nclients", 1) }
        let limits = try await client.call(
            AdminProgram.ServerGetClientLimits.self, AdminServerGetClientLimitsArgs(srv: server, flags: 0))
        #expect(limits.params.map(\.value) == [50, 0, 20, 0].map { .uint($0) })
    }

    @Test func `log settings and the timeout change at run time`() async throws {
        _ = try await client.call(
            AdminProgram.ConnectSetLoggingFilters.self,
            AdminConnectSetLoggingFiltersArgs(filters: "1:qemu", flags: 0))
        let filters = try await client.call(
            AdminProgram.ConnectGetLoggingFilters.self, AdminConnectGetLoggingFiltersArgs(flags: 0))
        #expect(filters == AdminConnectGetLoggingFiltersRet(filters: "1:*qemu* ", nfilters: 1))
        let outputs = try await client.call(
            AdminProgram.ConnectGetLoggingOutputs.self, AdminConnectGetLoggingOutputsArgs(flags: 0))
        #expect(outputs.outputs == "3:file:\(directory.path)/var/log/libvirt/virtqemud.log")
        _ = try await client.call(
            AdminProgram.ConnectSetDaemonTimeout.self, AdminConnectSetDaemonTimeoutArgs(timeout: 300, flags: 0))
        #expect(timeouts.value == 300)
        await #expect(throws: VirtError.self) {
            try await client.call(
                AdminProgram.ServerUpdateTlsFiles.self, AdminServerUpdateTlsFilesArgs(srv: server, flags: 0))
        }
    }
}
