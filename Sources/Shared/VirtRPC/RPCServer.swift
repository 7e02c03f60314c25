import Glibc
import Synchronization
import VirtCore
package import VirtOS

/// A set of programs served on any number of listening sockets.
package final class RPCServer: Sendable {
    package let core: ServerCore
    let loops: EventLoopGroup
    private let listeners = Mutex<[Listener]>([])
    /// Clients of the program before that are not served yet, and what that had read of them.
    let restored = Mutex<[(connection: Connection, input: [UInt8])]>([])

    package var name: String { core.name }

    package init(
        name: String, loops: EventLoopGroup, programs: [HandlerTable], limits: ServerLimits = ServerLimits(),
        routes: ForwardingRules? = nil, access: any AccessControl = GrantAll()
    ) {
        core = ServerCore(name: name, tables: programs, limits: limits, routes: routes, access: access)
        self.loops = loops
        core.onRemoved { [weak self] in self?.placeBecameFree() }
    }

    /// Adds a listening socket. Clients queue in its backlog until `startAccepting`.
    ///
    /// - Parameter ownerOnly: refuses peers of another user than the daemon's (virtlogd, virtlockd).
    package func listen(
        _ socket: consuming OwnedDescriptor, readOnly: Bool = false, authentication: Authentication = .none,
        ownerOnly: Bool = false
    ) {
        let listener = Listener(
            DescriptorBox(socket), loop: loops.next(), readOnly: readOnly, authentication: authentication,
            ownerOnly: ownerOnly)
        listeners.withLock { $0.append(listener) }
    }

    package func startAccepting() {
        for listener in currentListeners {
            listener.loop.execute { listener.start(self) }
        }
        let waiting = restored.withLock { list in
            defer { list = [] }
            return list
        }
        for (connection, input) in waiting {
            connection.client.loop.execute { connection.assumeIsolated { $0.start(input: input) } }
        }
    }

    var currentListeners: [Listener] { listeners.withLock { $0 } }

    /// Accepts no more, lets running calls end for at most `grace`, and closes every client.
    ///
    /// - Parameter leaving: clients that are not closed: another process has their sockets too.
    package func stop(grace: Duration = .seconds(30), leaving: Set<UInt64> = []) async {
        let all = listeners.withLock { list in
            defer { list = [] }
            return list
        }
        for listener in all { listener.loop.execute { listener.stop() } }
        let deadline = ContinuousClock.now + grace
        while core.counts.running > 0, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        for client in core.clients where !leaving.contains(client.id) { client.close() }
        for trunk in core.trunks { trunk.loop.execute { trunk.close() } }
    }

    private func placeBecameFree() {
        for trunk in core.trunks { trunk.loop.execute { trunk.admit() } }
        for listener in currentListeners where listener.isSuspended.load(ordering: .relaxed) {
            listener.loop.execute { listener.resume(self) }
        }
    }

    /// Takes over a connected socket, as the listeners do.
    package func adopt(_ descriptor: DescriptorBox, readOnly: Bool, authentication: Authentication) {
        let loop = loops.next()
        let client = ClientHandle(
            id: core.nextID(), loop: loop, identity: Identity(peerOf: descriptor), isReadOnly: readOnly,
            authentication: authentication, connectTime: Int64(time(nil)))
        let connection = register(descriptor, client)
        loop.execute { connection.assumeIsolated { $0.start() } }
    }

    func register(_ descriptor: DescriptorBox, _ client: ClientHandle) -> Connection {
        core.register(client, LoopBound(FramedSocket(descriptor, loop: client.loop)), descriptor)
    }
}

/// One listening socket. Its methods run on its loop.
final class Listener: Sendable {
    private static let acceptsPerTurn = 64

    let descriptor: DescriptorBox
    let loop: EventLoop
    let readOnly: Bool
    let authentication: Authentication
    let ownerOnly: Bool
    let isSuspended = Atomic(false)
    private let watch = LoopBound<Watch?>(nil)

    init(
        _ descriptor: DescriptorBox, loop: EventLoop, readOnly: Bool, authentication: Authentication, ownerOnly: Bool
    ) {
        self.descriptor = descriptor
        self.loop = loop
        self.readOnly = readOnly
        self.authentication = authentication
        self.ownerOnly = ownerOnly
    }

    func start(_ server: RPCServer) {
        guard watch.value == nil else { return }
        do {
            watch.value = try loop.watch(descriptor.rawValue, [.read]) { [weak server] _ in
                if let server { self.accept(server) }
            }
        } catch {
            log.error("cannot watch a listening socket: \(error.message)")
        }
    }

    func stop() {
        watch.value?.cancel()
        watch.value = nil
    }

    func resume(_ server: RPCServer) {
        guard server.core.hasRoom, isSuspended.exchange(false, ordering: .relaxed) else { return }
        watch.value?.update([.read])
    }

    private func suspend() {
        isSuspended.store(true, ordering: .relaxed)
        watch.value?.update([])
    }

    private func accept(_ server: RPCServer) {
        for _ in 0..<Listener.acceptsPerTurn {
            guard server.core.hasRoom else {
                suspend()
                // A place may have become free between the check and the suspension.
                return resume(server)
            }
            switch UnixSocket.acceptNext(descriptor.rawValue) {
            case .accepted(let socket): admit(DescriptorBox(socket), server)
            case .wouldBlock: return
            case .aborted: continue
            case .exhausted(let code): return pause(server, code)
            case .error(let code): return pause(server, code)
            }
        }
    }

    /// No descriptor or memory is left: tries again in a while, since the client stays in the queue.
    private func pause(_ server: RPCServer, _ code: Int32) {
        log.error("cannot accept a client: \(VirtError.describe(errno: code))")
        suspend()
        loop.schedule(after: .seconds(1)) { [weak server] in
            if let server { self.resume(server) }
        }
    }

    private func admit(_ socket: DescriptorBox, _ server: RPCServer) {
        let identity = Identity(peerOf: socket)
        if ownerOnly, identity.userID != UInt64(geteuid()) {
            return log.error("client of user \(identity.userID.map(String.init) ?? "?") refused: not the owner")
        }
        server.adopt(socket, readOnly: readOnly, authentication: authentication)
    }
}

/// A value that only its loop's thread touches; the class makes that visible to the compiler.
final class LoopBound<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}
