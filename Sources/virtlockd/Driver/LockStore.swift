import Glibc
import VirtCore
import VirtDaemon
import VirtOS
import VirtRPC
import VirtWire

let log = Logger("locking.lock_daemon")

/// All lock spaces and the connections that hold locks in them.
actor LockStore {
    /// How long a guest that lost its locks gets to end before it is killed.
    private static let termination = Duration.milliseconds(1600)

    nonisolated let loop: EventLoop
    private let inhibitor: Inhibitor
    var direct = LockSpace(directory: nil)
    var spaces: [String: LockSpace] = [:]
    var clients: [UInt64: Connected] = [:]
    var stored: StoredLocks
    /// Owners that hold something, and so keep the daemon.
    private var holders: Set<UInt32> = []
    /// The daemon ends, or another program takes over: connections that close say nothing of their owners any more.
    var isLeaving = false
    /// Connections from systemd's store that are not clients yet, by their descriptors.
    var storedEntries: [Int32: StoredLocks.Entry] = [:]
    var settling: Timer?

    /// A connection and what it said of itself.
    struct Connected {
        let handle: ClientHandle
        var client: LockClient
        /// The peer is the owner: a guest that inherited the connection.
        let isOwner: Bool
        /// The owner, if it is the peer and still there.
        let process: RunningChild?
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    init(loop: EventLoop, inhibitor: Inhibitor, notify: SystemdNotify) {
        self.loop = loop
        self.inhibitor = inhibitor
        stored = StoredLocks(notify)
    }

    // MARK: Connections

    /// Takes note of who calls; a connection may change its mind until it is restricted.
    func register(_ owner: LockOwner, _ client: ClientHandle) throws(VirtError) {
        try checkUnrestricted(client)
        guard owner.id != 0 else { throw Self.unregistered }
        note(LockClient(owner: owner), of: client)
    }

    /// Notes what is known of a connection, and looks after one that its owner holds itself.
    func note(_ known: LockClient, of client: ClientHandle) {
        let isNew = clients[client.id] == nil
        let isOwner = client.identity.processID == Int64(known.owner.pid)
        clients[client.id] = Connected(
            handle: client, client: known, isOwner: isOwner, process: isOwner ? process(known.holder) : nil)
        if isNew {
            client.onClose { [weak self] in
                guard let self else { return }
                Task(executorPreference: self.loop) { await self.closed(client.id) }
            }
        }
        keep(client.id)
    }

    private func process(_ holder: LockHolder) -> RunningChild? {
        guard !holder.isGone, let pid = pid_t(exactly: holder.pid), pid > 1 else { return nil }
        return try? RunningChild(adopting: pid, on: loop)
    }

    /// Stores the connection, if its owner holds it itself.
    func keep(_ id: UInt64) {
        guard let connected = clients[id] else { return }
        guard connected.isOwner, let socket = connected.handle.socket else { return stored.forgetClient(id) }
        stored.keep(connected.client, id: id, socket: socket)
    }

    func restrict(_ client: ClientHandle) throws(VirtError) {
        _ = try owner(client)
        clients[client.id]?.client.isRestricted = true
        keep(client.id)
    }

    private static let unregistered = VirtError(
        .operationInvalid, .rpc, "lock owner details have not been registered")

    private func checkUnrestricted(_ client: ClientHandle) throws(VirtError) {
        guard clients[client.id]?.client.isRestricted != true else {
            throw VirtError(.operationDenied, .rpc, "lock manager connection has been restricted")
        }
    }

    private func owner(_ client: ClientHandle) throws(VirtError) -> LockOwner {
        try checkUnrestricted(client)
        guard let owner = clients[client.id]?.client.owner else { throw Self.unregistered }
        return owner
    }

    /// A connection is gone. If a guest had inherited it, the guest is gone, or has lost its right to run.
    func closed(_ id: UInt64) async {
        guard !isLeaving, let connected = clients.removeValue(forKey: id) else { return }
        stored.forgetClient(id)
        // A daemon's own short connections hold nothing: the owner is another process.
        guard connected.isOwner else { return }
        let owner = connected.client.owner
        let count = releaseAll(owner: owner.pid)
        guard count > 0, let process = connected.process else { return }
        log.info("'\(owner.name)' (process \(owner.pid)) let go of \(count) locks")
        await end(process)
    }

    /// A guest must not run on without its locks.
    private func end(_ process: RunningChild) async {
        guard process.kill(SIGTERM) else { return }
        guard (try? await process.waitExit(timeout: Self.termination)) ?? nil == nil else { return }
        log.warning("process \(process.pid) goes on without its locks and is killed")
        process.kill(SIGKILL)
    }

    /// The daemon ends. The connections that the next process of the service finds again are left as they are.
    func leave() -> Set<UInt64> {
        isLeaving = true
        guard !stored.notify.isActive else { return Set(clients.keys.filter(stored.holdsClient)) }
        for path in allSpaces.flatMap({ $0.resources.values.map(\.path) }).sorted() {
            log.warning("lock '\(path)' ends with this daemon")
        }
        return []
    }

    // MARK: Spaces

    func addSpace(_ path: String, _ client: ClientHandle) throws(VirtError) {
        _ = try owner(client)
        guard !path.isEmpty else {
            throw VirtError(.operationInvalid, .rpc, "the default lockspace already exists")
        }
        guard spaces[path] == nil else {
            throw VirtError(.internalError, .rpc, "Lockspace for path \(path) already exists")
        }
        try makeSpace(path)
    }

    /// Makes sure that a space is there, for whoever asks.
    func ensureSpace(_ path: String, _ client: ClientHandle) throws(VirtError) {
        try checkUnrestricted(client)
        if !path.isEmpty, spaces[path] == nil { try makeSpace(path) }
    }

    private func makeSpace(_ path: String) throws(VirtError) {
        spaces[path] = try LockSpace(making: path)
        stored.keep(space: path)
    }

    func create(_ name: String, in path: String, _ client: ClientHandle) throws(VirtError) {
        _ = try owner(client)
        try space(path).create(name)
    }

    func delete(_ name: String, in path: String, _ client: ClientHandle) throws(VirtError) {
        _ = try owner(client)
        try space(path).delete(name)
    }

    private func space(_ path: String) throws(VirtError) -> LockSpace {
        if path.isEmpty { return direct }
        guard let space = spaces[path] else {
            throw VirtError(.internalError, .rpc, "Lockspace for path \(path) does not exist")
        }
        return space
    }

    func set(_ space: LockSpace) {
        if let directory = space.directory { spaces[directory] = space } else { direct = space }
    }

    // MARK: Locks

    func acquire(
        _ name: String, in path: String, flags: LockResource.Flags, _ client: ClientHandle
    ) throws(VirtError) {
        let owner = try owner(client)
        var space = try space(path)
        let resource = try space.acquire(name, owner: LockHolder(pid: owner.pid), flags: flags)
        set(space)
        stored.keep(resource, in: path)
        updateHolders()
    }

    func release(_ name: String, in path: String, _ client: ClientHandle) throws(VirtError) {
        let owner = try owner(client)
        var space = try space(path)
        let release = try space.release(name, owner: owner.pid)
        set(space)
        finish(release, in: path)
        updateHolders()
    }

    /// Takes everything from a process; how many resources it held.
    func releaseAll(owner: UInt32) -> Int {
        var count = 0
        for var space in allSpaces {
            let releases = space.releaseAll(owner: owner)
            guard !releases.isEmpty else { continue }
            set(space)
            for release in releases { finish(release, in: space.directory ?? "") }
            count += releases.count
        }
        updateHolders()
        return count
    }

    private func finish(_ release: LockSpace.Release, in path: String) {
        switch release {
        case .left(let resource): stored.keep(resource, in: path)
        case .ended(let resource):
            // In this order: the store's copy would be taken for a lock that is held.
            stored.forget(resource, in: path)
            resource.end()
        }
    }

    var allSpaces: [LockSpace] { [direct] + spaces.values }

    /// Each process that holds locks keeps the daemon from ending.
    func updateHolders() {
        let now = Set(allSpaces.flatMap { $0.resources.values.flatMap { $0.owners.map(\.pid) } })
        for _ in now.subtracting(holders) { inhibitor.hold("locks held by guests") }
        for _ in holders.subtracting(now) { inhibitor.release("locks held by guests") }
        holders = now
    }
}
