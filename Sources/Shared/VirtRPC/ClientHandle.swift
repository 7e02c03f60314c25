import Synchronization
import VirtCore
package import VirtOS
package import VirtWire

/// A connected client as handlers and the admin program see it; usable from any thread.
package final class ClientHandle: Sendable, Hashable {
    /// What is known of a client besides its socket.
    struct State {
        var identity: Identity
        var isAuthenticated: Bool
        var isReadOnly: Bool
        /// The URI of CONNECT_OPEN; nil before that.
        var uri: String?
        var isOpen = false
        var hasCloseCallback = false
        var isClosed = false
        var closeActions: [@Sendable () -> Void] = []
        /// Until it is closed. Not a weak reference: those make an object slower for all who use it.
        var connection: Connection?
    }

    /// Unique within its server, counted from 1.
    package let id: UInt64
    package let loop: EventLoop
    /// Seconds since the epoch at which the client was accepted.
    package let connectTime: Int64
    /// What the socket's authentication setting asks of this client.
    package let authentication: Authentication
    let state: Mutex<State>

    init(
        id: UInt64, loop: EventLoop, identity: Identity, isReadOnly: Bool, authentication: Authentication,
        connectTime: Int64
    ) {
        self.id = id
        self.loop = loop
        self.authentication = authentication
        self.connectTime = connectTime
        state = Mutex(
            State(identity: identity, isAuthenticated: authentication == .none, isReadOnly: isReadOnly))
    }

    package static func == (left: ClientHandle, right: ClientHandle) -> Bool { left === right }
    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

    package var identity: Identity {
        get { state.withLock { $0.identity } }
        set { state.withLock { $0.identity = newValue } }
    }
    package var isReadOnly: Bool { state.withLock { $0.isReadOnly } }
    package var isAuthenticated: Bool { state.withLock { $0.isAuthenticated } }
    package var isClosed: Bool { state.withLock { $0.isClosed } }
    /// The URI that the client opened, as it sent it.
    package var uri: String? { state.withLock { $0.uri } }

    /// The client's socket; nil when the client is gone.
    package var socket: DescriptorBox? { state.withLock { $0.connection }?.descriptor }

    /// Sends an event; dropped when the client is gone.
    package func send<E: EventMessage>(_ event: E.Type, _ message: E.Message) {
        let header = MessageHeader(E.descriptor, type: .message, serial: 0)
        do {
            deliver(try XDRWriter.frame(header, message))
        } catch {
            log.error("event \(E.descriptor.name) cannot be encoded: \(error.message)")
        }
    }

    private func deliver(_ bytes: [UInt8]) {
        guard let connection = state.withLock({ $0.connection }) else { return }
        if loop.inLoop {
            connection.assumeIsolated { $0.send(bytes) }
        } else {
            loop.execute { connection.assumeIsolated { $0.send(bytes) } }
        }
    }

    /// Runs `body` once when the client is gone; at once when it already is. On any thread.
    package func onClose(_ body: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            if !state.isClosed { state.closeActions.append(body) }
            return state.isClosed
        }
        if isLate { body() }
    }

    /// Ends the connection without waiting for anything.
    package func close() {
        guard let connection = state.withLock({ $0.connection }) else { return }
        loop.execute { connection.assumeIsolated { $0.close(.endOfFile) } }
    }

    /// Ends the connection once the reply to the current call is written.
    package func closeAfterReply() {
        guard let connection = state.withLock({ $0.connection }) else { return }
        loop.execute { connection.assumeIsolated { $0.closeWhenDrained() } }
    }

    /// From now on the client is pinged, as it asked (feature 10).
    package func enableKeepalive() {
        guard let connection = state.withLock({ $0.connection }) else { return }
        loop.execute { connection.assumeIsolated { $0.enableKeepalive() } }
    }

    /// The client has proved who it is.
    func authenticated() {
        let connection = state.withLock { state in
            state.isAuthenticated = true
            return state.connection
        }
        connection?.server.authenticated(self)
    }

    /// The connection is gone: runs what waits for that.
    func closed() {
        let actions = state.withLock { state in
            state.isClosed = true
            state.connection = nil
            defer { state.closeActions = [] }
            return state.closeActions
        }
        for action in actions { action() }
    }
}

/// How the clients of a socket prove who they are.
package enum Authentication: Int32, Sendable {
    case none = 0
    case sasl = 1
    case polkit = 2
}

let log = Logger("rpc.server")
