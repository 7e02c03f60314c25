package import VirtCore
package import VirtOS
package import VirtRPC

/// What a daemon does, apart from what all daemons do.
package protocol DaemonDriver: Sendable {
    /// The programs of the main server.
    func handlerTables() -> [HandlerTable]
    /// Loads the state, finds again what runs, starts what shall run. Clients are served when it has returned.
    func start() async throws
    /// SIGHUP.
    func reload() async
    /// The daemon ends: what runs goes on without it. Bounded by 30 seconds.
    func stop() async
}

/// A daemon as its main describes it.
package struct DaemonDescription: Sendable {
    /// "virtnetworkd": also the name of its main server, its configuration and log files.
    package let name: String
    /// "libvirt network management daemon", for --help.
    package let title: String
    /// The name's own, or "libvirt" for virtproxyd.
    package let socketPrefix: String
    package let hasReadOnlySocket: Bool
    package let configKind: ConfigKind
    /// Which calls are other daemons'; the run directory is known only at start.
    package let routes: (@Sendable (DaemonPaths) -> ForwardingRules)?
    package let makeDriver: @Sendable (DaemonContext) async throws -> any DaemonDriver

    package init(
        name: String, title: String = "libvirt management daemon", socketPrefix: String? = nil,
        hasReadOnlySocket: Bool = true,
        configKind: ConfigKind = .driver, routes: (@Sendable (DaemonPaths) -> ForwardingRules)? = nil,
        makeDriver: @escaping @Sendable (DaemonContext) async throws -> any DaemonDriver
    ) {
        self.name = name
        self.title = title
        self.socketPrefix = socketPrefix ?? name
        self.hasReadOnlySocket = hasReadOnlySocket
        self.configKind = configKind
        self.routes = routes
        self.makeDriver = makeDriver
    }

    var fileNames: DaemonFileNames {
        DaemonFileNames(name: name, socketPrefix: socketPrefix, hasReadOnlySocket: hasReadOnlySocket)
    }
}

/// What a driver is made with.
package struct DaemonContext: Sendable {
    package let name: String
    package let paths: DaemonPaths
    package let loops: EventLoopGroup
    /// The daemon's own configuration file (virtqemud.conf).
    package let config: ConfigFile
    /// Keeps `--timeout` from ending the daemon.
    package let inhibitor: Inhibitor
    package let notify: SystemdNotify
    /// What an earlier process of the service left in systemd's store.
    package let storedDescriptors: [Activation.Passed]
    /// The host's UUID in capabilities and SMBIOS tables.
    package let hostUUID: UUID

    package init(
        name: String, paths: DaemonPaths, loops: EventLoopGroup, config: ConfigFile, inhibitor: Inhibitor,
        notify: SystemdNotify, storedDescriptors: [Activation.Passed] = [], hostUUID: UUID
    ) {
        self.name = name
        self.paths = paths
        self.loops = loops
        self.config = config
        self.inhibitor = inhibitor
        self.notify = notify
        self.storedDescriptors = storedDescriptors
        self.hostUUID = hostUUID
    }
}
