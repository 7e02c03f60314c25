import Glibc
import VirtCore
import VirtOS
import VirtWire

/// The clients that another daemon passes on over a trunk: each channel is a client of the server like any other.
/// Confined to its loop.
final class IncomingTrunk: @unchecked Sendable {
    let loop: EventLoop
    private let trunk: Trunk
    private let descriptor: DescriptorBox
    private let identity: Identity
    private let server: ServerCore
    /// Channels that the server has no room for yet.
    private var waiting: ArraySlice<(channel: TrunkChannel, isReadOnly: Bool)> = []

    /// Makes a trunk of a client's socket, which is the server's own from now on.
    init(_ socket: FramedSocket, _ descriptor: DescriptorBox, identity: Identity, server: ServerCore) {
        loop = socket.loop
        trunk = Trunk(socket)
        self.descriptor = descriptor
        self.identity = identity
        self.server = server
        trunk.onOpen = { [unowned self] channel, isReadOnly in self.opened(channel, isReadOnly) }
        trunk.onClosed = { [unowned self] in self.server.removed(self) }
        server.added(self)
    }

    func close() { trunk.close() }

    private func opened(_ channel: TrunkChannel, _ isReadOnly: Bool) {
        if waiting.isEmpty, server.hasRoom { return admit(channel, isReadOnly) }
        channel.pauseReading()
        waiting.append((channel, isReadOnly))
        // A place may have become free between the check and the wait.
        admit()
    }

    /// Takes waiting channels as clients as long as there is room.
    func admit() {
        while let (channel, isReadOnly) = waiting.first, !channel.isOpen || server.hasRoom {
            waiting.removeFirst()
            guard channel.isOpen else { continue }
            admit(channel, isReadOnly)
            channel.resumeReading()
        }
    }

    private func admit(_ channel: TrunkChannel, _ isReadOnly: Bool) {
        // The peer is the daemon's own user and has asked for the client's authentication itself.
        let client = ClientHandle(
            id: server.nextID(), loop: loop, identity: identity, isReadOnly: isReadOnly, authentication: .none,
            connectTime: Int64(time(nil)))
        let connection = server.register(client, LoopBound(channel), descriptor)
        connection.assumeIsolated { $0.start() }
    }
}

extension Connection {
    /// A START of the trunk program: true when the connection is a trunk now, and no client any more.
    ///
    /// Only a daemon of this user's may do so, since its word is taken for who the clients are and what they may do.
    func startTrunk(_ call: MessageHeader) -> Bool {
        guard call.version == TrunkProgram.version, call.procedure == TrunkProgram.Start.descriptor.number,
            server.takesTrunks, !client.isReadOnly, client.identity.userID == UInt64(geteuid()),
            let socket = port as? FramedSocket
        else { return false }
        send(XDRWriter.frame(call.answer(.reply, .ok)))
        let trunk = IncomingTrunk(socket, descriptor, identity: client.identity, server: server)
        log.debug("client \(client.id) is a trunk now, on loop \(trunk.loop.name)")
        closed(.endOfFile)
        return true
    }
}
