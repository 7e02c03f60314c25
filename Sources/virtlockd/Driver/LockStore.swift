import Glibc
import VirtCore
import VirtDaemon
import VirtOS
import VirtRPC
import VirtWire

private let log = Logger("locking.lock_daemon")

/// What a connection said of itself.
struct LockClient: Sendable {
    let owner: LockOwner
    var isRestricted = false
}

/// All lock spaces and the connections that hold locks in them.
actor LockStore {
    /// How long a guest that lost its locks gets to end before it is killed.
    private static let termination = Duration.milliseconds(1600)

    private nonisolated let loop: EventLoop
    private let inhibitor: Inhibitor
    private var direct = LockSpace(directory: nil)
    private var spaces: [String: LockSpace] = [:]
    private var clients: [UInt64: LockClient] = [:]
    /// Owners that hold something, and so keep the daemon.
    private var holders: Set<UInt32> = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    init(_ context: DaemonContext) {
        loop = context.loops.next()
        inhibitor = context.inhibitor
    }

    // MARK: Connections

    func register(_ owner: LockOwner, _ client: ClientHandle) throws(VirtError) {
        if clients[client.id]?.isRestricted == true { throw Self.restricted }
        guard clients[client.id] == nil else {
            throw VirtError(.operationInvalid, .locking, "owner details have already been registered")
        }
        clients[client.id] = LockClient(owner: owner)
        client.onClose { [weak self] in
            guard let self else { return }
            Task(executorPreference: self.loop) { await self.closed(client) }
        }
    }

    func restrict(_ client: ClientHandle) throws(VirtError) {
        _ = try owner(client)
        clients[client.id]?.isRestricted = true
    }

    private static var restricted: VirtError {
        VirtError(.operationDenied, .locking, "lock manager connection has been restricted")
    }

    private func owner(_ client: ClientHandle) throws(VirtError) -> LockOwner {
        guard let known = clients[client.id] else {
            throw VirtError(.operationInvalid, .locking, "lock owner details have not been registered")
        }
        guard !known.isRestricted else { throw Self.restricted }
        return known.owner
    }

    /// The connection that a guest inherited is gone, and so is the guest or its right to run.
    private func closed(_ client: ClientHandle) async {
        guard let known = clients.removeValue(forKey: client.id) else { return }
        let pid = known.owner.pid
        // A daemon's own short connections hold nothing: the owner is another process.
        guard client.identity.processID == Int64(pid) else { return }
        var released = direct.releaseAll(owner: pid)
        for path in spaces.keys { released += spaces[path]?.releaseAll(owner: pid) ?? 0 }
        updateHolders()
        guard released > 0, let pid = pid_t(exactly: pid), pid > 1 else { return }
        log.info("'\(known.owner.name)' (process \(pid)) let go of \(released) locks")
        await end(pid)
    }

    /// A guest must not run on without its locks.
    private func end(_ pid: pid_t) async {
        guard kill(pid, SIGTERM) == 0 else { return }
        for _ in 0..<8 {
            try? await loop.sleep(for: Self.termination / 8)
            if kill(pid, 0) != 0 { return }
        }
        log.warning("process \(pid) goes on without its locks and is killed")
        kill(pid, SIGKILL)
    }

    // MARK: Spaces and resources

    func addSpace(_ path: String, _ client: ClientHandle) throws(VirtError) {
        _ = try owner(client)
        guard !path.isEmpty, spaces[path] == nil else {
            throw VirtError(
                .operationInvalid, .locking,
                path.isEmpty ? "the default lockspace already exists" : "Lockspace for path \(path) already exists")
        }
        try makeSpace(path)
    }

    /// Makes sure that a space is there.
    func ensureSpace(_ path: String, _ client: ClientHandle) throws(VirtError) {
        _ = try owner(client)
        if !path.isEmpty, spaces[path] == nil { try makeSpace(path) }
    }

    private func makeSpace(_ path: String) throws(VirtError) {
        try FileSystem.makeDirectories(path, mode: 0o700)
        spaces[path] = LockSpace(directory: path)
    }

    /// Runs `body` on a space, for a client that may use it.
    func with(
        _ path: String, _ client: ClientHandle, _ body: @Sendable (inout LockSpace, UInt32) throws -> Void
    ) throws {
        let owner = try owner(client)
        defer { updateHolders() }
        if path.isEmpty { return try body(&direct, owner.pid) }
        guard var space = spaces[path] else {
            throw VirtError(.internalError, .locking, "Lockspace for path \(path) does not exist")
        }
        defer { spaces[path] = space }
        try body(&space, owner.pid)
    }

    /// Each process that holds locks keeps the daemon from ending.
    private func updateHolders() {
        let all = [direct] + spaces.values
        let now = Set(all.flatMap { $0.resources.values.flatMap(\.owners) })
        for _ in now.subtracting(holders) { inhibitor.hold("locks held by guests") }
        for _ in holders.subtracting(now) { inhibitor.release("locks held by guests") }
        holders = now
    }
}
