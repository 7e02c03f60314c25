import VirtCore
import VirtOS
import VirtWire

/// One client's connection: reads its messages, answers them, and carries its streams. Isolated to one loop.
actor Connection {
    /// Calls that wait for a free place hold at most so many bytes before the socket is no longer read.
    private static let backlogLimit = 8 << 20

    nonisolated let client: ClientHandle
    nonisolated let server: ServerCore
    nonisolated let descriptor: DescriptorBox
    private let loop: EventLoop
    let port: any MessagePort
    var streams: [UInt32: OpenStream] = [:]
    var router: ConnectionRouter?

    private var keepalive: Keepalive
    private var keepaliveTimer: Timer?
    private(set) var inFlight = 0
    private(set) var backlog = CallBacklog()
    private var backlogPausesSocket = false
    private var outputPausesSocket = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    init(
        _ port: LoopBound<some MessagePort>, _ descriptor: DescriptorBox, client: ClientHandle, server: ServerCore
    ) {
        self.client = client
        self.server = server
        self.descriptor = descriptor
        loop = client.loop
        self.port = port.value
        let limits = server.limits
        keepalive = Keepalive(interval: limits.keepaliveInterval, count: limits.keepaliveCount, now: .now())
    }

    /// Starts reading; on the loop.
    func start() {
        port.onFrame = { [unowned self] frame in self.assumeIsolated { $0.handle(frame) } }
        port.onClosed = { ending in self.assumeIsolated { $0.closed(ending) } }
        port.onDrained = { [unowned self] in self.assumeIsolated { $0.drained() } }
        if let routes = server.routes {
            let router = ConnectionRouter(rules: routes, dialers: server.dialers, client: client, front: port)
            self.router = router
            port.onTurnEnd = { router.frontTurnEnded() }
        }
        do {
            try port.start()
        } catch {
            close(.failed(error))
        }
    }

    // MARK: Messages in

    private func handle(_ frame: Frame) {
        if keepalive.isEnabled { keepalive.received(now: .now()) }
        switch frame.header.type {
        case .call, .callWithDescriptors: handleCall(frame)
        case .stream, .streamHole: handleStream(frame)
        case .message where frame.header.program == KeepaliveMessage.program: handleKeepalive(frame.header)
        default: log.debug("client \(client.id): message of type \(frame.header.type) ignored")
        }
    }

    private func handleCall(_ frame: Frame) {
        let header = frame.header
        if header.program == TrunkProgram.number, startTrunk(header) { return }
        guard let table = server.table(program: header.program, version: header.version) else {
            return reply(header, error: .rpc("Cannot find program \(header.program) version \(header.version)"))
        }
        guard header.status == .ok else {
            return reply(header, error: .rpc("Unexpected message status \(header.status.rawValue)"))
        }
        guard let procedure = table.descriptor(header.procedure), !procedure.isEvent else {
            return reply(header, error: .rpc("unknown procedure: \(header.procedure)"))
        }
        do {
            try server.authorize(procedure, client: client)
        } catch {
            return reply(header, error: error)
        }
        if let handler = table.handler(header.procedure) {
            run(handler, procedure, frame)
        } else if router?.forward(frame, procedure) != true {
            reply(header, error: VirtError(.noSupport, .remote, procedure.apiName))
        }
    }

    private func run(_ handler: HandlerTable.Handler, _ procedure: ProcedureDescriptor, _ frame: Frame) {
        let caller = Caller(client: client, descriptors: frame.descriptors)
        switch handler {
        case .inline(let body):
            do {
                try reply(frame.header) { writer in try body(frame.payload, caller, &writer) }
            } catch is ForwardInstead {
                forwardInstead(frame, procedure)
            } catch {
                reply(frame.header, error: VirtError(wrapping: error))
            }
        case .deferred(let prepare):
            do {
                let body = try prepare(frame.payload, caller)
                enqueue(DeferredCall(header: frame.header, size: frame.bytes.count, body: body))
            } catch {
                reply(frame.header, error: VirtError(wrapping: error))
            }
        }
    }

    /// A call that a handler declined because another daemon has to answer it.
    private func forwardInstead(_ frame: Frame, _ procedure: ProcedureDescriptor) {
        guard let router else { return reply(frame.header, error: VirtError(.noSupport, .remote, procedure.apiName)) }
        if procedure.number == RemoteProgram.ConnectOpen.descriptor.number {
            router.open(frame, procedure)
        } else {
            _ = router.forward(frame, procedure)
        }
    }

    // MARK: Calls that wait

    private func enqueue(_ call: DeferredCall) {
        guard inFlight >= server.limits.maxClientRequests else { return execute(call) }
        backlog.append(call)
        if backlog.bytes > Connection.backlogLimit, !backlogPausesSocket {
            backlogPausesSocket = true
            port.pauseReading()
        }
    }

    private func execute(_ call: DeferredCall) {
        inFlight += 1
        server.callStarted()
        Task(executorPreference: loop) {
            do {
                let answer = try await call.body()
                try await self.finish(call.header, answer)
            } catch {
                await self.reply(call.header, error: VirtError(wrapping: error))
            }
            await self.finished()
        }
    }

    private func finish(_ header: MessageHeader, _ answer: HandlerTable.Answer) throws {
        guard port.isOpen else { return }
        try reply(header, descriptors: answer.descriptors, answer.encode)
        if let stream = answer.stream { open(stream, header) }
    }

    private func finished() {
        inFlight -= 1
        server.callEnded()
        if let next = backlog.takeFirst() { execute(next) }
        if backlogPausesSocket, backlog.bytes < Connection.backlogLimit / 2 {
            backlogPausesSocket = false
            port.resumeReading()
        }
    }

    // MARK: Messages out

    func send(_ bytes: [UInt8]) {
        port.send(bytes)
    }

    /// Sends a reply; nothing is sent when `encode` throws.
    private func reply(
        _ call: MessageHeader, descriptors: [DescriptorBox] = [], _ encode: (inout XDRWriter) throws -> Void
    ) throws {
        var writer = XDRWriter()
        let type: MessageHeader.Kind = descriptors.isEmpty ? .reply : .replyWithDescriptors
        writer.begin(call.answer(type, .ok), descriptors: descriptors.count)
        try encode(&writer)
        port.send(try writer.finish(), descriptors: descriptors)
        // A client that asks without reading the answers is not asked for more.
        if port.isFull(), !outputPausesSocket {
            outputPausesSocket = true
            port.pauseReading()
        }
    }

    private func reply(_ call: MessageHeader, error: VirtError) {
        log.debug("client \(client.id): procedure \(call.procedure) failed: \(error.message)")
        send(XDRWriter.frame(call.answer(.reply, .error), error: error))
    }

    // MARK: Keepalive

    private func handleKeepalive(_ header: MessageHeader) {
        if header.procedure == KeepaliveMessage.pingNumber { send(KeepaliveMessage.pong) }
    }

    func enableKeepalive() {
        guard port.isOpen, !keepalive.isEnabled else { return }
        keepalive.enable(now: .now())
        if keepalive.isEnabled { scheduleKeepalive() }
    }

    private func scheduleKeepalive() {
        keepaliveTimer = loop.schedule(after: .seconds(Int64(keepalive.interval))) { [unowned self] in
            assumeIsolated { $0.tickKeepalive() }
        }
    }

    private func tickKeepalive() {
        guard port.isOpen else { return }
        switch keepalive.tick(now: .now(), readingPaused: port.isPaused) {
        case .none: break
        case .sendPing: send(KeepaliveMessage.ping)
        case .close:
            log.info("client \(client.id) does not answer keepalive, closing it")
            return port.close(.failed(.rpc("connection closed due to keepalive timeout")))
        }
        scheduleKeepalive()
    }

    // MARK: The end

    func close(_ ending: FramedSocket.Ending) {
        port.close(ending)
    }

    func closeWhenDrained() {
        port.closeWhenDrained()
    }

    func closed(_ ending: FramedSocket.Ending) {
        if case .failed(let error) = ending { log.info("client \(client.id): \(error.message)") }
        keepaliveTimer?.cancel()
        keepaliveTimer = nil
        backlog = CallBacklog()
        closeStreams()
        router?.close()
        router = nil
        client.closed()
        server.removed(client)
    }

    private func drained() {
        if outputPausesSocket {
            outputPausesSocket = false
            port.resumeReading()
        }
        resumeStreamWriters()
        router?.frontDrained()
    }
}

/// A decoded call that waits for something, or for its turn.
struct DeferredCall {
    let header: MessageHeader
    /// Bytes of the message: what it counts for while it waits.
    let size: Int
    let body: @Sendable () async throws -> HandlerTable.Answer
}

/// Calls beyond the client's limit, in order of arrival.
struct CallBacklog {
    private var calls: [DeferredCall] = []
    private var first = 0
    private(set) var bytes = 0
    var isEmpty: Bool { first == calls.count }

    mutating func append(_ call: DeferredCall) {
        calls.append(call)
        bytes += call.size
    }

    mutating func takeFirst() -> DeferredCall? {
        guard first < calls.count else { return nil }
        let call = calls[first]
        first += 1
        bytes -= call.size
        if first == calls.count || first > 256 {
            calls.removeFirst(first)
            first = 0
        }
        return call
    }
}
