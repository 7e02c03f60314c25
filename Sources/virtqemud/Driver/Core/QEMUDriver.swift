import Glibc
import QEMUCommand
import Synchronization
import VirtCore
package import VirtDaemon
import VirtModel
import VirtOS
import VirtRPC
import VirtWire
import VirtXML

/// The QEMU driver: all domains of the host, and what they share.
package final class QEMUDriver: DaemonDriver {
    let context: DaemonContext
    let loops: EventLoopGroup
    let paths: DriverPaths
    let configuration: DriverConfiguration
    let registry = DomainRegistry()
    let events = EventHub<DomainEvent>()
    let monitorEvents = EventHub<DomainEvent>()
    let legacyEvents = LegacyRegistrations()
    let displayPorts: NumberPool
    let websocketPorts: NumberPool
    let definitions: ObjectStore
    let capabilities: QEMUCapabilitiesCache
    let owner: FileOwner
    let completions = CompletionContexts()
    let recentDefinitions = RecentDefinitions()
    let hostDeviceClaims = HostDeviceClaims()
    let processorSwitches = ProcessorSwitchesCache()
    let hostDescription: HostDescription
    private let hooks: HookRunner
    private let stateLock = Mutex<StateLock?>(nil)
    private let lastID = Atomic<Int32>(0)
    let consoles = ConsoleSessions()

    static let log = Logger("qemu.driver")

    package init(_ context: DaemonContext) async throws {
        self.context = context
        loops = context.loops
        paths = DriverPaths(context.paths)
        configuration = try await Self.readConfiguration(paths)
        displayPorts = NumberPool(configuration.displayPorts, name: "VNC")
        websocketPorts = NumberPool(configuration.websocketPorts, name: "webSocket")
        definitions = ObjectStore(directory: paths.configuration, autostartDirectory: paths.autostart)
        owner = FileOwner(uid: configuration.uid, gid: configuration.gid, remembers: configuration.rememberOwner)
        hooks = HookRunner(driver: "qemu", paths: context.paths)
        capabilities = Self.makeCapabilities(paths, configuration, context.loops)
        hostDescription = try await Self.describeHost(context, configuration, isSession: paths.isSession)
    }

    private static func readConfiguration(_ paths: DriverPaths) async throws -> DriverConfiguration {
        try await BlockingPool.shared.run {
            try DriverConfiguration(read(paths.qemuConf), isSession: paths.isSession) { () throws(VirtError) in
                try read(paths.lockConf)
            }
        }
    }

    private static func read(_ path: String) throws(VirtError) -> ConfigFile {
        guard FileSystem.exists(path) else { return .empty(name: path) }
        return try ConfigFile.parse(bytes: FileSystem.read(path), name: path)
    }

    /// Keeps other daemons from driving the same guests until this process ends.
    func keep(_ lock: StateLock) { stateLock.withLock { $0 = lock } }

    // MARK: Guests

    /// The number of the next guest.
    func nextID() -> Int32 { lastID.wrappingAdd(1, ordering: .relaxed).newValue }

    /// No number up to this one is given out again.
    func reserveID(_ id: Int32) { _ = lastID.max(id, ordering: .relaxed) }

    /// A guest came to life: the daemon stays.
    func guestStarted() { context.inhibitor.hold("guests") }

    func guestEnded() { context.inhibitor.release("guests") }

    /// Calls the hook scripts where a failure changes nothing.
    func runHook(_ domain: Domain, _ operation: String, _ subOperation: String) async {
        do {
            try await requireHook(domain, operation, subOperation)
        } catch {
            Self.log.warning("\(error)")
        }
    }

    /// Calls the hook scripts; their failure is the caller's.
    func requireHook(_ domain: Domain, _ operation: String, _ subOperation: String) async throws {
        guard hasHooks else { return }
        let xml = try domain.format([.secure])
        try await hooks.run(object: domain.name, operation: operation, subOperation: subOperation, input: xml)
    }

    /// Whether there is anything to call: spares the formatting of XML.
    private var hasHooks: Bool {
        unsafe access(hooks.script, X_OK) == 0 || access(hooks.script + ".d", X_OK) == 0
    }

    /// Gives files back to their owners. Blocks.
    func giveBack(_ files: [GuestRuntime.OwnedFile]) {
        guard configuration.dynamicOwnership else { return }
        for file in files.reversed() { owner.giveBack(file.path, recall: file.remembered) }
    }
}

/// The locked file that says who drives the guests of a state directory.
final class StateLock: Sendable {
    private let file: PidFile

    /// Blocks for a moment.
    init(_ path: String) throws(VirtError) { file = try PidFile(acquiring: path) }
}
