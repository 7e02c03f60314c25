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
    /// All clients of a program or process before are adopted, and new ones are about to be served.
    func serve() async
    /// The daemon is about to end: the clients that are not to be closed, because the next process of the service finds
    /// their sockets again.
    func leaveClients() async -> Set<UInt64>
    /// The clients that an earlier process of the service left so, with what it knew of them. After `start`.
    func storedClients() async -> [(socket: DescriptorBox, privateData: JSONObject)]

    /// SIGUSR1: touches no more what it holds, and returns that for the program that takes this one's place in the
    /// process; nil: the daemon cannot be replaced in place.
    func prepareReplacement() async throws -> DriverRemains?
    /// The other program could not be started: goes on.
    func abandonReplacement() async
    /// What the driver knows of a client, for the next program ("privateData").
    func privateData(of client: ClientHandle) async -> JSONObject
    /// A client of the program before, before anything is read from it. An error ends the client.
    func adopt(_ client: ClientHandle, _ privateData: JSONObject) async throws
}

extension DaemonDriver {
    package func serve() async {}
    package func leaveClients() async -> Set<UInt64> { [] }
    package func storedClients() async -> [(socket: DescriptorBox, privateData: JSONObject)] { [] }
    package func prepareReplacement() async throws -> DriverRemains? { nil }
    package func abandonReplacement() async {}
    package func privateData(of client: ClientHandle) async -> JSONObject { JSONObject() }
    package func adopt(_ client: ClientHandle, _ privateData: JSONObject) async throws {}
}

/// What a driver leaves to the program that takes the place of its own.
package struct DriverRemains: Sendable {
    /// Members of the document beside the daemon's own.
    package let document: JSONObject
    /// The descriptors that the document names: they stay open.
    package let descriptors: [Int32]

    package init(document: JSONObject, descriptors: [Int32]) {
        self.document = document
        self.descriptors = descriptors
    }
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

    /// Whether SIGUSR1 replaces the program in place.
    var isReplaceable: Bool {
        switch configKind {
        case .log, .lock: true
        case .driver, .proxy: false
        }
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
    /// What the program before, whose place this one took in the process, left to the driver; nil: a start from nothing.
    package let remains: JSONObject?
    /// The host's UUID in capabilities and SMBIOS tables.
    package let hostUUID: UUID

    package init(
        name: String, paths: DaemonPaths, loops: EventLoopGroup, config: ConfigFile, inhibitor: Inhibitor,
        notify: SystemdNotify, storedDescriptors: [Activation.Passed] = [], remains: JSONObject? = nil, hostUUID: UUID
    ) {
        self.name = name
        self.paths = paths
        self.loops = loops
        self.config = config
        self.inhibitor = inhibitor
        self.notify = notify
        self.storedDescriptors = storedDescriptors
        self.remains = remains
        self.hostUUID = hostUUID
    }
}
