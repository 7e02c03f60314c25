import Synchronization
package import VirtCore
import VirtOS
package import VirtWire

/// Bounds of one server and its clients; keys of the daemons' configuration files.
package struct ServerLimits: Sendable, Equatable {
    package var maxClients: Int
    /// Clients that have not authenticated yet; 0: as many as `maxClients`.
    package var maxAnonymousClients: Int
    /// Calls of one client that run at the same time; more wait.
    package var maxClientRequests: Int
    /// Seconds between pings; 0 or less: none are sent.
    package var keepaliveInterval: Int32
    package var keepaliveCount: UInt32

    package init(
        maxClients: Int = 5000, maxAnonymousClients: Int = 20, maxClientRequests: Int = 5,
        keepaliveInterval: Int32 = 5, keepaliveCount: UInt32 = 5
    ) {
        self.maxClients = maxClients
        self.maxAnonymousClients = maxAnonymousClients
        self.maxClientRequests = maxClientRequests
        self.keepaliveInterval = keepaliveInterval
        self.keepaliveCount = keepaliveCount
    }
}

/// Decides whether a client may use a procedure ("access_drivers").
package protocol AccessControl: Sendable {
    func check(_ rules: [AccessRule], client: ClientHandle) throws(VirtError)
}

/// libvirt's default: whoever may connect may do everything that the socket allows.
package struct GrantAll: AccessControl {
    package init() {}
    package func check(_ rules: [AccessRule], client: ClientHandle) throws(VirtError) {}
}

/// What the connections of one server share.
package final class ServerCore: Sendable {
    private struct State {
        var limits: ServerLimits
        var clients: [UInt64: Entry] = [:]
        /// Clients that have not authenticated yet.
        var anonymous: Set<UInt64> = []
        /// Connections that carry clients of another daemon.
        var trunks: [ObjectIdentifier: IncomingTrunk] = [:]
        var lastID: UInt64 = 0
        var running = 0
        var onRemoved: (@Sendable () -> Void)?
        var onCountChange: (@Sendable () -> Void)?
    }

    private struct Entry {
        let client: ClientHandle
        let connection: Connection
    }

    package let name: String
    let tables: [HandlerTable]
    let routes: ForwardingRules?
    let dialers = Dialers()
    /// Other daemons may pass their clients on over trunks: this is a server of libvirt's objects.
    let takesTrunks: Bool
    private let access: any AccessControl
    private let state: Mutex<State>

    init(
        name: String, tables: [HandlerTable], limits: ServerLimits, routes: ForwardingRules?,
        access: any AccessControl
    ) {
        self.name = name
        self.tables = tables
        takesTrunks = tables.contains { $0.program.number == RemoteProgram.number }
        self.routes = routes
        self.access = access
        state = Mutex(State(limits: limits))
    }

    package var limits: ServerLimits {
        get { state.withLock { $0.limits } }
        set { state.withLock { $0.limits = newValue } }
    }

    /// The clients by id, oldest first.
    package var clients: [ClientHandle] {
        state.withLock { state in state.clients.values.map(\.client) }.sorted { $0.id < $1.id }
    }

    var connections: [Connection] {
        state.withLock { state in state.clients.values.map(\.connection) }.sorted { $0.client.id < $1.client.id }
    }

    package func client(_ id: UInt64) -> ClientHandle? { state.withLock { $0.clients[id]?.client } }

    /// Clients, those of them that have not authenticated, and calls that run now.
    package var counts: (clients: Int, anonymous: Int, running: Int) {
        state.withLock { state in
            (state.clients.count, state.anonymous.count, state.running)
        }
    }

    /// Whether one more client may be accepted.
    var hasRoom: Bool {
        state.withLock { state in
            guard state.clients.count < state.limits.maxClients else { return false }
            let most = state.limits.maxAnonymousClients
            return most <= 0 || state.anonymous.count < most
        }
    }

    package func nextID() -> UInt64 {
        state.withLock { state in
            state.lastID &+= 1
            return state.lastID
        }
    }

    /// The highest id that a client had; setting it never lowers it.
    package var lastID: UInt64 {
        get { state.withLock { $0.lastID } }
        set { state.withLock { $0.lastID = max($0.lastID, newValue) } }
    }

    /// Makes a client of a port, which is the loop's own from now on.
    func register(
        _ client: ClientHandle, _ port: LoopBound<some MessagePort>, _ descriptor: DescriptorBox
    ) -> Connection {
        let connection = Connection(port, descriptor, client: client, server: self)
        client.state.withLock { $0.connection = connection }
        added(client, connection)
        return connection
    }

    var trunks: [IncomingTrunk] { state.withLock { Array($0.trunks.values) } }

    func added(_ trunk: IncomingTrunk) { state.withLock { $0.trunks[ObjectIdentifier(trunk)] = trunk } }

    func removed(_ trunk: IncomingTrunk) { state.withLock { $0.trunks[ObjectIdentifier(trunk)] = nil } }

    private func added(_ client: ClientHandle, _ connection: Connection) {
        let isAnonymous = !client.isAuthenticated
        let notify = state.withLock { state in
            state.clients[client.id] = Entry(client: client, connection: connection)
            if isAnonymous { state.anonymous.insert(client.id) }
            return state.onCountChange
        }
        notify?()
    }

    func removed(_ client: ClientHandle) {
        let notify = state.withLock { state in
            state.clients[client.id] = nil
            state.anonymous.remove(client.id)
            return (state.onRemoved, state.onCountChange)
        }
        notify.0?()
        notify.1?()
    }

    /// Called, on any thread, after each client that came or went.
    package func onCountChange(_ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.onCountChange = body }
    }

    /// Called whenever a place for a client may have become free.
    func onRemoved(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.onRemoved = body } }

    /// A client authenticated: the listeners may take more.
    func authenticated(_ client: ClientHandle) {
        let notify = state.withLock { state in
            state.anonymous.remove(client.id)
            return state.onRemoved
        }
        notify?()
    }

    func callStarted() { state.withLock { $0.running += 1 } }
    func callEnded() { state.withLock { $0.running -= 1 } }

    func table(program: UInt32, version: UInt32) -> HandlerTable? {
        for table in tables where table.program.number == program && table.program.version == version { return table }
        return nil
    }

    /// Refuses a call before anything of it is decoded: authentication, read-only rule, access rules.
    func authorize(_ procedure: ProcedureDescriptor, client: ClientHandle) throws(VirtError) {
        let (isAuthenticated, isReadOnly) = client.state.withLock { ($0.isAuthenticated, $0.isReadOnly) }
        guard isAuthenticated || procedure.isAuthentication else { throw .rpc("authentication required") }
        if isReadOnly, procedure.readOnly == .denied { throw .readOnly(procedure) }
        if !procedure.isAuthentication { try access.check(procedure.access, client: client) }
    }
}

extension ProcedureDescriptor {
    /// AUTH_LIST to AUTH_POLKIT: the only calls before authentication.
    var isAuthentication: Bool { program == RemoteProgram.number && (66...70).contains(number) }
}

extension VirtError {
    /// An error of the RPC layer itself.
    static func rpc(_ text: String) -> VirtError { VirtError(code: .rpc, domain: .rpc, verbatim: text) }

    /// A call that a read-only connection may not make.
    static func readOnly(_ procedure: ProcedureDescriptor) -> VirtError {
        VirtError(.operationDenied, .rpc, "read only access prevents \(procedure.api)")
    }

    /// Any error that a handler may throw, in the one shape that goes over the wire.
    package init(wrapping error: any Error) {
        switch error {
        case let error as VirtError: self = error
        case is CancellationError: self = VirtError(.operationAborted, .rpc, "the call was cancelled")
        default: self = VirtError(.internalError, .rpc, String(describing: error))
        }
    }
}
