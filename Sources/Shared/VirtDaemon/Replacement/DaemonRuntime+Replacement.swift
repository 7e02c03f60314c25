import CLinux
import Glibc
import VirtCore
import VirtOS
import VirtRPC

private let log = Logger("daemon.restart")

extension DaemonRuntime {
    /// How long calls and replies may take before their clients are left behind.
    private static let grace = Duration.seconds(3)

    // MARK: The program that goes

    /// SIGUSR1: another program, most often a newer one of the same name, takes this one's place in the process and goes
    /// on with its sockets, its clients and what the driver holds. Returns only when that did not work.
    func replaceProgram(_ driver: any DaemonDriver, _ servers: Servers) async {
        guard stopRequest.value == nil else { return }
        log.info("the program is started again in place")
        await servers.main.suspend(grace: Self.grace, on: context.loops.loops[0])
        await servers.admin.suspend(grace: Self.grace, on: context.loops.loops[0])
        do {
            guard let remains = try await driver.prepareReplacement() else {
                throw VirtError(.operationUnsupported, .none, "\(context.name) cannot be restarted in place")
            }
            try await startProgram(try await state(remains, driver, servers), remains.descriptors)
        } catch {
            log.error("Unable to restart self: \(VirtError(wrapping: error).message)")
        }
        await driver.abandonReplacement()
        servers.main.resume()
        servers.admin.resume()
    }

    private func state(
        _ remains: DriverRemains, _ driver: any DaemonDriver, _ servers: Servers
    ) async throws -> RestartState {
        var state = RestartState(magic: String(getpid()), servers: [:], driver: remains.document)
        for server in [servers.main, servers.admin] {
            var saved = await server.saved(isOwn: servers.ownsSockets)
            for index in saved.clients.indices where server === servers.main {
                guard let client = server.core.client(saved.clients[index].id) else { continue }
                saved.clients[index].privateData = await driver.privateData(of: client)
            }
            state.servers[server.name] = saved
        }
        return state
    }

    /// Returns only by throwing.
    private func startProgram(_ state: RestartState, _ descriptors: [Int32]) async throws {
        let path = context.paths.restartState(context.name)
        try FileSystem.atomicWrite(path, state.encoded(), mode: 0o700)
        let left = state.sockets + descriptors
        defer {
            for number in left { InheritedDescriptor.keep(number) }
            unsafe unlink(path)
        }
        for number in left { try InheritedDescriptor.leave(number) }
        guard stopRequest.value == nil else { throw CancellationError() }
        let result = unsafe clinux_replace_program(
            CommandLine.unsafeArgv, Signals.handled, Int32(Signals.handled.count), SIGUSR1)
        throw VirtError.system(-result, .none, "\(CommandLine.arguments.first ?? context.name)")
    }

    // MARK: The program that comes

    /// Takes over the clients of the program before, and those of a process before that the service manager has kept.
    func adoptClients(_ driver: any DaemonDriver, _ servers: Servers) async {
        for (socket, privateData) in await driver.storedClients() {
            let saved = SavedClient(
                id: servers.main.core.nextID(), descriptor: socket.rawValue, isReadOnly: false, authentication: .none,
                isAuthenticated: true, connectTime: Int64(time(nil)), privateData: privateData)
            await adopt(saved, socket, driver, servers.main)
        }
        guard let inherited = start.inherited else { return }
        for server in [servers.main, servers.admin] {
            guard let state = inherited.servers[server.name] else { continue }
            server.core.lastID = state.saved.nextID &- 1
            for entry in state.clients {
                if server === servers.main {
                    await adopt(entry.saved, entry.descriptor, driver, server)
                } else {
                    _ = server.restore(entry.saved, entry.descriptor)
                }
            }
        }
    }

    private func adopt(
        _ saved: SavedClient, _ socket: DescriptorBox, _ driver: any DaemonDriver, _ server: RPCServer
    ) async {
        let client = server.restore(saved, socket)
        do {
            try await driver.adopt(client, saved.privateData)
        } catch {
            log.error("client \(client.id) cannot go on: \(VirtError(wrapping: error).message)")
            client.close()
        }
    }
}
