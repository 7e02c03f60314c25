import CLinux
import Glibc
import Synchronization
import VirtCore
import VirtOS
import VirtRPC

private let log = Logger("daemon.main")

/// A running daemon: driver, servers, signals, idle exit, and its end.
final class DaemonRuntime: Sendable {
    private static let longestStop = Duration.seconds(30)
    /// How long calls in flight may go on after the daemon was asked to end.
    private static let callGrace = Duration.seconds(5)

    let start: DaemonStart
    let context: DaemonContext
    private let activation: Activation
    let stopRequest = OneShot<Int32>()
    private let isServing = Atomic(false)
    private let isReloadWanted = Atomic(false)
    private let replacement = Mutex(ReplacementRequest())

    init(_ start: DaemonStart, _ context: DaemonContext, _ activation: Activation) {
        self.start = start
        self.context = context
        self.activation = activation
    }

    /// The main server, the admin server, and what they show.
    struct Servers: Sendable {
        let main: RPCServer
        let admin: RPCServer
        let service: AdminService
        let idle: IdleWatch
        /// Whether this process made its sockets and removes their files.
        var ownsSockets = false
    }

    /// SIGUSR1, and what came of it.
    private struct ReplacementRequest {
        var isWanted = false
        var task: Task<Void, Never>?
    }

    /// Runs to the daemon's end; returns its exit status.
    func run() async -> Int32 {
        let driver: any DaemonDriver
        var servers: Servers
        var sockets = DaemonSockets(start.description.fileNames, context.paths, start.settings)
        do {
            driver = try await start.description.makeDriver(context)
            servers = makeServers(driver)
        } catch {
            return fail(.driver, error)
        }
        do throws(VirtError) {
            var activation = activation
            let ownerOnly = start.description.isReplaceable
            try sockets.open(
                main: servers.main, admin: servers.admin, ownerOnly: ownerOnly, activation: &activation,
                inherited: start.inherited)
            servers.ownsSockets = !sockets.own.isEmpty
            try watchSignals(driver, servers)
        } catch {
            sockets.removeOwn()
            return fail(.network, error)
        }
        start.background?.report(.none)
        let status = await serve(driver, servers)
        sockets.removeOwn()
        return status
    }

    private func fail(_ step: StartStep, _ error: any Error) -> Int32 {
        log.error(VirtError(wrapping: error).message)
        start.background?.report(step)
        return 1
    }

    private func makeServers(_ driver: any DaemonDriver) -> Servers {
        let settings = start.settings
        let inherited = start.inherited?.servers
        let main = RPCServer(
            name: context.name, loops: context.loops, programs: driver.handlerTables(),
            limits: inherited?[context.name]?.saved.limits ?? settings.limits,
            routes: start.description.routes?(context.paths))
        let idle = OneShot<IdleWatch>()
        let service = AdminService(logSetup: start.logSetup) { idle.value?.setTimeout($0) }
        let admin = RPCServer(
            name: "admin", loops: context.loops, programs: [AdminHandlers.table(service)],
            limits: inherited?["admin"]?.saved.limits ?? settings.adminLimits)
        service.add(ServedServer(server: main, workers: settings.workers))
        service.add(ServedServer(server: admin, workers: settings.adminWorkers))
        let watch = IdleWatch(
            loop: context.loops.loops[0], timeout: start.options.timeout, inhibitor: context.inhibitor,
            clients: { main.core.counts.clients + admin.core.counts.clients },
            end: { [stopRequest] in stopRequest.fulfil(0) })
        idle.fulfil(watch)
        main.core.onCountChange { watch.useChanged() }
        admin.core.onCountChange { watch.useChanged() }
        context.inhibitor.onChange { watch.useChanged() }
        return Servers(main: main, admin: admin, service: service, idle: watch)
    }

    private func watchSignals(_ driver: any DaemonDriver, _ servers: Servers) throws(VirtError) {
        try Signals.watch(on: context.loops.loops[0]) { [self] number in
            switch number {
            case SIGTERM, SIGINT, SIGQUIT:
                log.info("signal \(number): the daemon ends")
                stopRequest.fulfil(0)
            case SIGHUP:
                isReloadWanted.store(true, ordering: .sequentiallyConsistent)
                reloadIfWanted(driver)
            case SIGUSR1 where start.description.isReplaceable:
                replacement.withLock { $0.isWanted = true }
                replaceIfWanted(driver, servers)
            default:
                log.info("signal \(number) is ignored")
            }
        }
    }

    /// Starts the driver, serves until asked to end, ends.
    private func serve(_ driver: any DaemonDriver, _ servers: Servers) async -> Int32 {
        context.inhibitor.hold("initialisation")
        do {
            try await callHook("start", extra: "start")
            try await startDriver(driver)
            await adoptClients(driver, servers)
            await driver.serve()
        } catch {
            // Asked to end while it was starting: not a failure.
            let status = stopRequest.value ?? 1
            if status != 0 { log.error("the driver cannot start: \(VirtError(wrapping: error).message)") }
            context.notify.stopping()
            await end(driver, servers)
            return status
        }
        context.inhibitor.release("initialisation")
        servers.main.startAccepting()
        servers.admin.startAccepting()
        isServing.store(true, ordering: .sequentiallyConsistent)
        context.notify.ready(status: "serving")
        clinux_forget_start()
        servers.idle.useChanged()
        reloadIfWanted(driver)
        replaceIfWanted(driver, servers)
        let status = await stopRequest.wait()
        await replacement.withLock { $0.task }?.value
        context.notify.stopping()
        await end(driver, servers)
        return status
    }

    /// Starts the driver; a request to end cancels that.
    private func startDriver(_ driver: any DaemonDriver) async throws {
        let work = Task(executorPreference: context.loops.next()) { try await driver.start() }
        stopRequest.whenFulfilled { _ in work.cancel() }
        try await work.value
    }

    /// Replaces the program if SIGUSR1 asked for it, one time after the other; a daemon that starts is replaced when it
    /// serves.
    private func replaceIfWanted(_ driver: any DaemonDriver, _ servers: Servers) {
        guard isServing.load(ordering: .acquiring) else { return }
        replacement.withLock { request in
            guard request.isWanted else { return }
            let before = request.task
            request.isWanted = false
            request.task = Task(executorPreference: context.loops.loops[0]) { [self] in
                await before?.value
                await replaceProgram(driver, servers)
            }
        }
    }

    /// Reloads if SIGHUP asked for it; a daemon that starts may have read the files before that, and reloads when it serves.
    private func reloadIfWanted(_ driver: any DaemonDriver) {
        guard isServing.load(ordering: .sequentiallyConsistent),
            isReloadWanted.exchange(false, ordering: .sequentiallyConsistent)
        else { return }
        Task(executorPreference: context.loops.next()) { await self.reload(driver) }
    }

    /// SIGHUP: the driver's files are read again; the daemon's own configuration is not.
    private func reload(_ driver: any DaemonDriver) async {
        log.info("reloading")
        context.notify.reloading()
        try? await callHook("reload", subOperation: "begin", extra: "SIGHUP")
        await driver.reload()
        context.notify.ready(status: "serving")
    }

    /// Ends servers and driver. A driver that takes too long is left behind: the process ends without it.
    private func end(_ driver: any DaemonDriver, _ servers: Servers) async {
        let loop = context.loops.loops[0]
        let done = OneShot<Bool>()
        let work = Task(executorPreference: context.loops.next()) { [self] in
            let left = await driver.leaveClients()
            await servers.main.stop(grace: Self.callGrace, leaving: left)
            await servers.admin.stop(grace: .zero)
            await driver.stop()
            try? await callHook("shutdown", extra: "shutdown")
            done.fulfil(true)
        }
        if (try? await done.wait(timeout: Self.longestStop, on: loop)) == nil {
            log.error("the driver did not stop within \(Self.longestStop)")
            work.cancel()
        }
    }

    /// The "daemon" hook script, of daemons with a driver.
    private func callHook(_ operation: String, subOperation: String = "-", extra: String) async throws {
        switch start.description.configKind {
        case .log, .lock: return
        case .driver, .proxy:
            try await HookRunner(driver: "daemon", paths: context.paths).run(
                object: "-", operation: operation, subOperation: subOperation, extra: extra)
        }
    }
}
