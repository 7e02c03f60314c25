import Glibc
import Synchronization
import VirtCore
import VirtOS
import VirtWire

/// Gets the clients of one loop to another daemon: over one trunk if that daemon knows trunks, else over a connection
/// for each. Confined to its loop.
final class Dialer {
    typealias Answer = (Result<any MessagePort, VirtError>) -> Void

    private enum State {
        /// Not known what the daemon can.
        case idle
        case starting
        case trunk(Trunk)
        /// The daemon knows no trunks. That holds while there is a connection to it.
        case plain
    }

    private let target: ForwardingRules.Target
    private let loop: EventLoop
    private var state = State.idle
    private var waiting: [(isReadOnly: Bool, answer: Answer)] = []
    private var connections = 0

    init(_ target: ForwardingRules.Target, loop: EventLoop) {
        self.target = target
        self.loop = loop
    }

    /// Opens a way for one client. `answer` gets a port that reads already; it must be told when that has ended.
    func open(readOnly: Bool, _ answer: @escaping Answer) {
        switch state {
        case .trunk(let trunk): answer(.success(trunk.open(readOnly: readOnly)))
        case .plain: connect(readOnly, answer)
        case .starting: waiting.append((readOnly, answer))
        case .idle:
            waiting.append((readOnly, answer))
            startTrunk()
        }
    }

    /// A port that `open` gave has ended. When it was the last, or the daemon's doing, another daemon may follow.
    func ended(_ port: any MessagePort, byDaemon: Bool) {
        guard port is FramedSocket else { return }
        connections -= 1
        if case .plain = state, byDaemon || connections == 0 { state = .idle }
    }

    private func connect(_ isReadOnly: Bool, _ answer: Answer) {
        do {
            let path = isReadOnly ? target.readOnlyPath : target.path
            let socket = FramedSocket(DescriptorBox(try UnixSocket.connect(path: path)), loop: loop)
            try socket.start()
            connections += 1
            answer(.success(socket))
        } catch {
            answer(.failure(error))
        }
    }

    // MARK: The trunk

    private func startTrunk() {
        do {
            let socket = FramedSocket(DescriptorBox(try UnixSocket.connect(path: target.path)), loop: loop)
            socket.onFrame = { [unowned socket] frame in self.answered(frame.header, socket) }
            socket.onClosed = { _ in
                self.failed(.system(ECONNRESET, .rpc, "Failed to connect socket to '\(self.target.path)'"))
            }
            try socket.start()
            state = .starting
            socket.send(XDRWriter.frame(MessageHeader(TrunkProgram.Start.descriptor, type: .call, serial: 1)))
        } catch {
            failed(error)
        }
    }

    private func answered(_ header: MessageHeader, _ socket: FramedSocket) {
        guard header.type == .reply else { return }
        if header.status == .ok { useTrunk(Trunk(socket)) } else { useConnections(socket) }
    }

    private func useTrunk(_ trunk: Trunk) {
        state = .trunk(trunk)
        trunk.onClosed = { [weak self] in self?.state = .idle }
        for (isReadOnly, answer) in takeWaiting() { answer(.success(trunk.open(readOnly: isReadOnly))) }
    }

    /// The daemon knows no trunks: the connection with which that was found out is as good as another.
    private func useConnections(_ socket: FramedSocket) {
        state = .plain
        socket.onFrame = nil
        socket.onClosed = nil
        connections += 1
        var unused: FramedSocket? = socket
        for (isReadOnly, answer) in takeWaiting() {
            if !isReadOnly, let socket = unused {
                unused = nil
                answer(.success(socket))
            } else {
                connect(isReadOnly, answer)
            }
        }
        guard let unused else { return }
        unused.close()
        ended(unused, byDaemon: false)
    }

    private func failed(_ error: VirtError) {
        state = .idle
        for (isReadOnly, answer) in takeWaiting() {
            // This user may be allowed to do no more than to read.
            if isReadOnly { connect(true, answer) } else { answer(.failure(error)) }
        }
    }

    private func takeWaiting() -> [(isReadOnly: Bool, answer: Answer)] {
        defer { waiting = [] }
        return waiting
    }
}

/// The dialers of a server: one for each loop and daemon.
final class Dialers: Sendable {
    private struct Key: Hashable {
        let loop: ObjectIdentifier
        let path: String
    }

    private let dialers = Mutex<[Key: LoopBound<Dialer>]>([:])

    /// The dialer of the caller's loop.
    func dialer(_ target: ForwardingRules.Target, loop: EventLoop) -> Dialer {
        let key = Key(loop: ObjectIdentifier(loop), path: target.path)
        let dialer = dialers.withLock { dialers in
            if let known = dialers[key] { return known }
            let dialer = LoopBound(Dialer(target, loop: loop))
            dialers[key] = dialer
            return dialer
        }
        return dialer.value
    }
}
