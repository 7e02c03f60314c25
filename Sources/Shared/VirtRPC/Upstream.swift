import Glibc
import VirtCore
import VirtOS
import VirtWire

/// The connection to another daemon on behalf of one client. Confined to the client's loop.
///
/// When the daemon goes away, calls in flight fail, and the connection is made again: at once when the client listens to
/// events, else with its next call.
final class Upstream {
    private enum State { case idle, opening, ready }

    /// A call of the client that the daemon has not answered.
    private struct Call {
        let header: MessageHeader
        let opensStream: Bool
        let change: Change?
    }

    /// What a call that changes registrations asks for.
    private final class Change {
        let procedure: ProcedureDescriptor
        let effect: EventRegistrations.Effect
        let payload: [UInt8]

        init(_ procedure: ProcedureDescriptor, _ effect: EventRegistrations.Effect, _ payload: [UInt8]) {
            self.procedure = procedure
            self.effect = effect
            self.payload = payload
        }
    }

    /// How long a daemon that was there before may take to come back while a call waits.
    private static let patience = Duration.seconds(5)

    private let target: ForwardingRules.Target
    private let client: ClientHandle
    private unowned let router: ConnectionRouter
    private let front: any MessagePort
    private let dialer: Dialer
    private var state = State.idle
    private var port: (any MessagePort)?
    private var handshake = Handshake()
    private var calls: [UInt32: Call] = [:]
    private var streams: [UInt32: MessageHeader] = [:]
    private var opens: [MessageHeader] = []
    private var queue: [(bytes: [UInt8], descriptors: [DescriptorBox])] = []
    private var queuedBytes = 0
    private var registrations = EventRegistrations()
    private var wasReady = false
    private var firstFailure: MonotonicTime?
    private var retry: Timer?
    private var isReadingPaused = false
    private var pausesFront = false
    private var corksFront = false
    private var isCorked = false
    private var isClosed = false

    init(
        _ target: ForwardingRules.Target, client: ClientHandle, front: any MessagePort, dialer: Dialer,
        router: ConnectionRouter
    ) {
        self.target = target
        self.client = client
        self.front = front
        self.dialer = dialer
        self.router = router
    }

    // MARK: From the client

    func send(_ frame: Frame, _ procedure: ProcedureDescriptor) {
        let effect = EventRegistrations.effect(of: procedure)
        if case .none = effect {
            calls[frame.header.serial] = Call(
                header: frame.header, opensStream: procedure.stream != nil, change: nil)
            return write(frame.bytes, frame.descriptors)
        }
        var bytes = Array(frame.bytes)
        if case .deregister(let kind) = effect, let id = Int32(wire: frame.payload),
            let upstreamID = registrations.upstreamID(kind, clientID: id)
        {
            upstreamID.patch(&bytes, at: MessageHeader.size)
        }
        calls[frame.header.serial] = Call(
            header: frame.header, opensStream: false, change: Change(procedure, effect, Array(frame.payload)))
        write(bytes[...], frame.descriptors)
    }

    func sendStreamPacket(_ frame: Frame) {
        guard streams[frame.header.serial] != nil || calls[frame.header.serial] != nil else {
            router.streamEnded(frame.header.serial)
            return
        }
        write(frame.bytes, frame.descriptors)
    }

    func open(answering header: MessageHeader) {
        if state == .ready {
            front.send(XDRWriter.frame(header.answer(.reply, .ok)))
        } else {
            opens.append(header)
            connect()
        }
    }

    private func write(_ bytes: ArraySlice<UInt8>, _ descriptors: [DescriptorBox]) {
        guard state == .ready, let port else {
            queue.append((Array(bytes), descriptors))
            queuedBytes += bytes.count
            connect()
            return pauseFront(if: (port?.unwritten ?? 0) + queuedBytes)
        }
        if front.hasMoreInput, !isCorked {
            isCorked = true
            port.cork()
        }
        port.forward(bytes, descriptors: descriptors)
        pauseFront(if: port.unwritten)
    }

    /// The client's messages of this turn have been passed on.
    func frontTurnEnded() {
        guard isCorked else { return }
        isCorked = false
        port?.uncork()
    }

    private func pauseFront(if waiting: Int) {
        guard waiting > FramedSocket.highWater, !pausesFront else { return }
        pausesFront = true
        front.pauseReading()
    }

    private func drained() {
        guard pausesFront else { return }
        pausesFront = false
        front.resumeReading()
    }

    // MARK: Opening

    private func connect() {
        guard state == .idle, !isClosed else { return }
        retry?.cancel()
        retry = nil
        state = .opening
        // It is always answered, even when the client has gone meanwhile.
        dialer.open(readOnly: client.isReadOnly) { [self] result in
            switch result {
            case .failure(let error): connectFailed(error)
            case .success(let port):
                if !isClosed { return connected(port) }
                port.close(.endOfFile)
                dialer.ended(port, byDaemon: false)
            }
        }
    }

    private func connected(_ port: any MessagePort) {
        port.onFrame = { [unowned self] in self.handle($0) }
        port.onTurnEnd = { [unowned self] in self.turnEnded() }
        port.onClosed = { [unowned self] in self.closed($0) }
        port.onDrained = { [unowned self] in self.drained() }
        self.port = port
        handshake = Handshake(
            uri: target.uri, isReadOnly: client.isReadOnly, identity: client.identity,
            renewals: registrations.renewals)
        advance(reply: nil)
    }

    private func connectFailed(_ error: VirtError) {
        guard !isClosed else { return }
        state = .idle
        let now = MonotonicTime.now()
        let since = firstFailure ?? now
        firstFailure = since
        let isBusy = error.int1 == EAGAIN
        // Reset: it was there a moment ago.
        let mayComeBack =
            error.int1 == ECONNRESET || wasReady && (error.int1 == ENOENT || error.int1 == ECONNREFUSED)
        let hasWork = !queue.isEmpty || !opens.isEmpty
        if hasWork, !(isBusy || mayComeBack) || now - since > Upstream.patience {
            firstFailure = nil
            failEverything(error)
        }
        if hasWork || !registrations.isEmpty { scheduleRetry(now - since) }
    }

    private func scheduleRetry(_ elapsed: Duration) {
        guard !isClosed, retry == nil, !queue.isEmpty || !opens.isEmpty || !registrations.isEmpty else { return }
        let delay: Duration = elapsed < .seconds(2) ? .milliseconds(50) : .seconds(1)
        retry = client.loop.schedule(after: delay) { [unowned self] in
            retry = nil
            connect()
        }
    }

    /// Sends the next call of the handshake; when there is none left, the client's own messages follow.
    private func advance(reply: Frame?) {
        do {
            if let message = try handshake.next(reply: reply, registrations: &registrations) {
                port?.send(message)
            } else {
                becomeReady()
            }
        } catch {
            let port = self.port
            failEverything(error)
            port?.close(.endOfFile)
        }
    }

    private func becomeReady() {
        state = .ready
        wasReady = true
        firstFailure = nil
        for header in opens { front.send(XDRWriter.frame(header.answer(.reply, .ok))) }
        opens = []
        let waiting = takeQueue()
        port?.cork()
        for (bytes, descriptors) in waiting { port?.send(bytes, descriptors: descriptors) }
        port?.uncork()
        if (port?.unwritten ?? 0) < FramedSocket.highWater { drained() }
    }

    private func takeQueue() -> [(bytes: [UInt8], descriptors: [DescriptorBox])] {
        queuedBytes = 0
        defer { queue = [] }
        return queue
    }

    // MARK: From the daemon

    private func handle(_ frame: Frame) {
        switch frame.header.type {
        case .reply, .replyWithDescriptors:
            if state == .opening { advance(reply: frame) } else { handleReply(frame) }
        case .stream:
            if frame.header.status != .continue { endStream(frame.header.serial) }
            pass(frame)
        case .streamHole: pass(frame)
        case .message where frame.header.program == KeepaliveMessage.program:
            if frame.header.procedure == KeepaliveMessage.pingNumber { port?.send(KeepaliveMessage.pong) }
        case .message: handleEvent(frame)
        default: break
        }
    }

    private func handleReply(_ frame: Frame) {
        guard let call = calls.removeValue(forKey: frame.header.serial) else { return }
        let isOk = frame.header.status == .ok
        if call.opensStream {
            if isOk { streams[frame.header.serial] = call.header } else { router.streamEnded(frame.header.serial) }
        }
        guard isOk, let change = call.change else { return pass(frame) }
        var bytes = Array(frame.bytes)
        apply(change, frame.payload, &bytes)
        pass(bytes[...], frame.descriptors)
    }

    private func apply(_ call: Change, _ payload: ArraySlice<UInt8>, _ reply: inout [UInt8]) {
        switch call.effect {
        case .none: break
        case .register(let kind):
            guard let upstreamID = Int32(wire: payload) else { return }
            let id = registrations.add(kind, call.procedure, payload: call.payload, upstreamID: upstreamID)
            id.patch(&reply, at: MessageHeader.size)
        case .deregister(let kind):
            if let id = Int32(wire: call.payload[...]) { registrations.remove(kind, clientID: id) }
        case .registerLegacy: registrations.addLegacy(call.procedure, payload: call.payload)
        case .deregisterLegacy(let registration):
            registrations.removeLegacy(registration, payload: call.payload)
        }
    }

    private func handleEvent(_ frame: Frame) {
        let header = frame.header
        let program = header.program == QemuProgram.number ? QemuProgram.description : RemoteProgram.description
        guard let procedure = program.procedure(header.procedure),
            let kind = EventRegistrations.kind(ofEvent: procedure), let id = Int32(wire: frame.payload),
            let clientID = registrations.clientID(kind, upstreamID: id), clientID != id
        else { return pass(frame) }
        var bytes = Array(frame.bytes)
        clientID.patch(&bytes, at: MessageHeader.size)
        pass(bytes[...], [])
    }

    private func pass(_ frame: Frame) { pass(frame.bytes, frame.descriptors) }

    private func pass(_ bytes: ArraySlice<UInt8>, _ descriptors: [DescriptorBox]) {
        if !corksFront, port?.hasMoreInput == true {
            corksFront = true
            front.cork()
        }
        front.forward(bytes, descriptors: descriptors)
        if front.unwritten > FramedSocket.highWater, !isReadingPaused {
            isReadingPaused = true
            port?.pauseReading()
        }
    }

    /// The daemon's messages of this turn have been passed on.
    private func turnEnded() {
        guard corksFront else { return }
        corksFront = false
        front.uncork()
    }

    func resumeReading() {
        guard isReadingPaused else { return }
        isReadingPaused = false
        port?.resumeReading()
    }

    private func endStream(_ serial: UInt32) {
        streams[serial] = nil
        router.streamEnded(serial)
    }

    // MARK: The end

    private func closed(_ ending: FramedSocket.Ending) {
        if let port { dialer.ended(port, byDaemon: true) }
        port = nil
        isCorked = false
        let wasOpening = state == .opening
        state = .idle
        isReadingPaused = false
        guard !isClosed else { return }
        log.info("client \(client.id): connection to \(target.scheme) daemon is gone")
        if wasOpening {
            // The daemon went away during the handshake: what waits gets another try.
            return connectFailed(.system(ECONNRESET, .rpc, "Failed to connect socket to '\(target.path)'"))
        }
        failCalls(.system(EIO, .rpc, "End of file while reading data: the \(target.scheme) daemon went away"))
        drained()
        scheduleRetry(.zero)
    }

    private func failCalls(_ error: VirtError) {
        for call in calls.values { front.send(XDRWriter.frame(call.header.answer(.reply, .error), error: error)) }
        for header in streams.values { front.send(XDRWriter.frame(header.answer(.stream, .error), error: error)) }
        for serial in streams.keys { router.streamEnded(serial) }
        for serial in calls.keys { router.streamEnded(serial) }
        calls = [:]
        streams = [:]
    }

    private func failEverything(_ error: VirtError) {
        for header in opens { front.send(XDRWriter.frame(header.answer(.reply, .error), error: error)) }
        opens = []
        _ = takeQueue()
        failCalls(error)
        drained()
    }

    func close() {
        isClosed = true
        retry?.cancel()
        retry = nil
        if pausesFront { pausesFront = false }
        guard let port else { return }
        self.port = nil
        port.close(.endOfFile)
        dialer.ended(port, byDaemon: false)
    }
}

extension Int32 {
    /// The first word of a payload.
    init?(wire payload: ArraySlice<UInt8>) {
        guard payload.count >= 4 else { return nil }
        self = Int32(bitPattern: payload.prefix(4).reduce(0) { $0 << 8 | UInt32($1) })
    }

    /// Overwrites a word of a message.
    func patch(_ bytes: inout [UInt8], at offset: Int) {
        guard bytes.count >= offset + 4 else { return }
        let word = UInt32(bitPattern: self)
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: word >> (24 - 8 * UInt32(index))) }
    }
}
