import Synchronization
import VirtCore
package import VirtDaemon
import VirtOS
import VirtRPC
import VirtWire

/// virtnetworkd
package struct NetworkDaemon {
    package static let description = DaemonDescription(
        name: "virtnetworkd", title: "libvirt network management daemon"
    ) { context in
        NetworkDriver(context)
    }
}

/// The daemon's driver: the service with its handlers.
final class NetworkDriver: DaemonDriver {
    private let service: NetworkService
    private let paths: NetworkPaths
    /// Held while the daemon lives: one network daemon per state directory.
    private let lock = Mutex<LockBox?>(nil)

    init(_ context: DaemonContext) {
        paths = NetworkPaths(context.paths)
        let backend = FirewallChoice.backend(etcLibvirt: context.paths.etcLibvirt)
        let host = LinuxHost(
            firewall: backend,
            dnsmasq: DnsmasqControl(leasesHelper: DnsmasqControl.findHelper(), root: context.paths.root),
            hooks: ScriptHooks(HookRunner(driver: "network", paths: context.paths)))
        service = NetworkService(host: host, paths: paths, loop: context.loops.next())
    }

    func handlerTables() -> [HandlerTable] {
        var table = HandlerTable(RemoteProgram.description)
        // 16: virNetworkUpdate's arguments are in the right order.
        RemoteConnectionHandlers.install(
            into: &table, ConnectionOptions(scheme: "network", type: "network", features: [16]))
        NetworkHandlers(service).install(into: &table)
        return [table]
    }

    func start() async throws {
        let paths = paths
        let box = try await BlockingPool.shared.run {
            try FileSystem.makeDirectories(paths.state)
            return LockBox(try PidFile(acquiring: paths.state + "/driver.pid"))
        }
        lock.withLock { $0 = box }
        try await service.load()
        await service.refresh()
        if try await service.claimAutostart() { await service.autostart() }
    }

    func reload() async { await service.reload() }

    /// Networks go on without the daemon.
    func stop() async {
        let box = lock.withLock { box in
            defer { box = nil }
            return box
        }
        box?.remove()
    }
}

/// A pid file in a place that takes copyable values only.
private final class LockBox: Sendable {
    private let file: Mutex<PidFile?>

    init(_ file: consuming PidFile) { self.file = Mutex(file) }

    func remove() {
        file.withLock { file in
            if let taken = file.take() { taken.remove() }
        }
    }
}

/// The hook scripts `network`.
private struct ScriptHooks: NetworkHooks {
    private let runner: HookRunner

    init(_ runner: HookRunner) { self.runner = runner }

    func isPresent() async -> Bool {
        let script = runner.script
        let found = try? await BlockingPool.shared.run {
            FileSystem.exists(script) || FileSystem.isDirectory(script + ".d")
        }
        return found ?? false
    }

    func run(_ call: HookCall) async throws {
        try await runner.run(
            object: call.network, operation: call.operation, subOperation: call.subOperation, input: call.input)
    }
}
