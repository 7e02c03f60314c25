import VirtCore
import VirtOS

extension Connection {
    /// Another program can take over a socket only.
    private var socket: FramedSocket? { port as? FramedSocket }

    /// Takes no more calls than those whose first bytes are here, so that another program can take over the socket.
    func suspend() { socket?.stopBetweenMessages() }

    /// Takes calls again.
    func resume() { socket?.continueReading() }

    /// Calls are not answered yet, or replies not read.
    var isBusy: Bool { port.isOpen && (!isFree || port.unwritten > 0) }

    /// A message has come in part.
    var isInMessage: Bool { socket?.isInMessage == true }

    private var isFree: Bool { inFlight == 0 && backlog.isEmpty && streams.isEmpty }

    /// Reads nothing more, and returns what another program needs to go on with this client; nil when something would be lost: the client has to end.
    func saved() -> SavedClient? {
        guard let socket else { return nil }
        socket.stopReading()
        guard socket.isOpen, isFree, socket.unwritten == 0, let input = socket.partialMessage else { return nil }
        return SavedClient(
            id: client.id, descriptor: socket.rawDescriptor, isReadOnly: client.isReadOnly,
            authentication: client.authentication, isAuthenticated: client.isAuthenticated,
            connectTime: client.connectTime, input: input)
    }

    /// Starts with what an earlier program has read already; on the loop.
    func start(input: [UInt8]) {
        do {
            try socket?.restorePartialMessage(input)
            start()
        } catch {
            close(.failed(VirtError(wrapping: error)))
        }
    }
}
