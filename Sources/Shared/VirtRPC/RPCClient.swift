import Synchronization
package import VirtCore
package import VirtOS
package import VirtWire

/// The client half of the protocol: calls, events and streams over one UNIX socket. Bound to a loop.
package actor RPCClient {
    typealias EventBody = @Sendable (ArraySlice<UInt8>) -> Void

    /// A complete answer, taken off the socket's buffer.
    struct Answer: Sendable {
        let header: MessageHeader
        let payload: [UInt8]
        let descriptors: [DescriptorBox]
    }

    private struct PendingCall {
        let continuation: CheckedContinuation<Answer, any Error>
        let timer: Timer?
    }

    private struct Registry {
        var events: [EventKey: EventBody] = [:]
        var closeActions: [@Sendable () -> Void] = []
        var isClosed = false
    }

    private struct EventKey: Hashable {
        let program: UInt32
        let procedure: Int32
    }

    package nonisolated let loop: EventLoop
    private let path: String
    let socket: FramedSocket
    var streams: [UInt32: ClientStreamState] = [:]
    private var pending: [UInt32: PendingCall] = [:]
    private var lastSerial: UInt32 = 0
    private var ending: VirtError?
    private let registry = Mutex(Registry())

    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    /// A client on a connected socket.
    package init(adopting descriptor: DescriptorBox, path: String = "", loop: EventLoop) async throws(VirtError) {
        self.loop = loop
        self.path = path
        socket = FramedSocket(descriptor, loop: loop)
        try start()
    }

    /// Connects to a daemon's socket.
    package static func connect(path: String, loop: EventLoop) async throws(VirtError) -> RPCClient {
        let descriptor = DescriptorBox(try UnixSocket.connect(path: path))
        return try await RPCClient(adopting: descriptor, path: path, loop: loop)
    }

    private func start() throws(VirtError) {
        socket.onFrame = { [unowned self] frame in self.assumeIsolated { $0.handle(frame) } }
        socket.onClosed = { ending in self.assumeIsolated { $0.closed(ending) } }
        socket.onDrained = { [unowned self] in self.assumeIsolated { $0.resumeStreamWriters() } }
        try socket.start()
    }

    // MARK: Calls

    /// Makes a call and waits for its reply.
    ///
    /// - Throws: the daemon's error, VIR_ERR_OPERATION_TIMEOUT, or VIR_ERR_INTERNAL_ERROR when the connection ends.
    package func call<P: Procedure>(
        _ procedure: P.Type, _ arguments: P.Arguments, descriptors: [DescriptorBox] = [],
        timeout: Duration? = .seconds(30)
    ) async throws -> P.Reply {
        try await callWithDescriptors(procedure, arguments, descriptors: descriptors, timeout: timeout).0
    }

    /// The same for a procedure whose reply carries descriptors.
    package func callWithDescriptors<P: Procedure>(
        _ procedure: P.Type, _ arguments: P.Arguments, descriptors: [DescriptorBox] = [],
        timeout: Duration? = .seconds(30)
    ) async throws -> (P.Reply, [DescriptorBox]) {
        let serial = nextSerial()
        let answer = try await exchange(P.descriptor, arguments, serial, descriptors, timeout)
        return (try P.Reply(decoding: answer.payload[...]), answer.descriptors)
    }

    /// Opens a stream with a call.
    package func openStream<P: Procedure>(
        _ procedure: P.Type, _ arguments: P.Arguments, timeout: Duration? = .seconds(30)
    ) async throws -> (P.Reply, ClientStream) {
        let serial = nextSerial()
        // Data may follow the reply in the same read: the stream must be there before.
        streams[serial] = ClientStreamState(header: MessageHeader(P.descriptor, type: .call, serial: serial))
        do {
            let answer = try await exchange(P.descriptor, arguments, serial, [], timeout)
            return (try P.Reply(decoding: answer.payload[...]), ClientStream(client: self, serial: serial))
        } catch {
            streams[serial] = nil
            throw error
        }
    }

    private func nextSerial() -> UInt32 {
        repeat { lastSerial &+= 1 } while pending[lastSerial] != nil || streams[lastSerial] != nil
        return lastSerial
    }

    private func exchange(
        _ procedure: ProcedureDescriptor, _ arguments: some XDRCodable, _ serial: UInt32,
        _ descriptors: [DescriptorBox], _ timeout: Duration?
    ) async throws -> Answer {
        let type: MessageHeader.Kind = descriptors.isEmpty ? .call : .callWithDescriptors
        let header = MessageHeader(procedure, type: type, serial: serial)
        let bytes = try XDRWriter.frame(header, arguments, descriptors: descriptors.count)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if let ending { return continuation.resume(throwing: ending) }
                let timer = timeout.map { limit in
                    loop.schedule(after: limit) { [weak self] in
                        self?.assumeIsolated { $0.timedOut(procedure, serial, limit) }
                    }
                }
                pending[serial] = PendingCall(continuation: continuation, timer: timer)
                socket.send(bytes, descriptors: descriptors)
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.fail(serial, CancellationError()) } }
        }
    }

    private func timedOut(_ procedure: ProcedureDescriptor, _ serial: UInt32, _ limit: Duration) {
        let text = "no reply to \(procedure.name) from '\(path)' within \(limit)"
        fail(serial, VirtError(.operationTimeout, .rpc, text))
    }

    private func fail(_ serial: UInt32, _ error: any Error) {
        guard let call = pending.removeValue(forKey: serial) else { return }
        call.timer?.cancel()
        call.continuation.resume(throwing: error)
    }

    // MARK: Messages in

    private func handle(_ frame: Frame) {
        let header = frame.header
        switch header.type {
        case .reply, .replyWithDescriptors: handleReply(frame)
        case .stream, .streamHole: handleStream(frame)
        case .message where header.program == KeepaliveMessage.program:
            if header.procedure == KeepaliveMessage.pingNumber {
                socket.send(KeepaliveMessage.pong)
            }
        case .message:
            let key = EventKey(program: header.program, procedure: header.procedure)
            let body = registry.withLock { $0.events[key] }
            body?(frame.payload)
        default: break
        }
    }

    private func handleReply(_ frame: Frame) {
        guard let call = pending.removeValue(forKey: frame.header.serial) else { return }
        call.timer?.cancel()
        if frame.header.status == .error {
            call.continuation.resume(throwing: WireError.decode(frame.payload))
        } else {
            call.continuation.resume(
                returning: Answer(
                    header: frame.header, payload: Array(frame.payload), descriptors: frame.descriptors))
        }
    }

    // MARK: Events and the end

    /// Calls `body` on the loop for each event of this type; an event that does not decode is dropped.
    package nonisolated func onEvent<E: EventMessage>(_ event: E.Type, _ body: @escaping @Sendable (E.Message) -> Void)
    {
        let key = EventKey(program: E.descriptor.program, procedure: E.descriptor.number)
        let decode: EventBody = { payload in
            do {
                body(try E.Message(decoding: payload))
            } catch {
                log.warning("event \(E.descriptor.name) is malformed: \(VirtError(wrapping: error).message)")
            }
        }
        registry.withLock { $0.events[key] = decode }
    }

    /// Calls `body` once when the connection is gone; at once when it already is.
    package nonisolated func onClose(_ body: @escaping @Sendable () -> Void) {
        let isLate = registry.withLock { state in
            if !state.isClosed { state.closeActions.append(body) }
            return state.isClosed
        }
        if isLate { body() }
    }

    package nonisolated var isClosed: Bool { registry.withLock { $0.isClosed } }

    package nonisolated func close() {
        loop.execute { self.assumeIsolated { $0.socket.close() } }
    }

    /// Gives up this end of a connection that another process shares and goes on with.
    package func leave() { socket.leave() }

    private func closed(_ reason: FramedSocket.Ending) {
        let error: VirtError =
            switch reason {
            case .endOfFile:
                .system(5, .rpc, "End of file while reading data")
            case .failed(let error): error
            }
        ending = error
        for serial in Array(pending.keys) { fail(serial, error) }
        failStreams(error)
        let actions = registry.withLock { state in
            state.isClosed = true
            defer { state.closeActions = [] }
            return state.closeActions
        }
        for action in actions { action() }
    }
}

extension WireError {
    /// The error of an error packet; one that does not decode is an error as well.
    static func decode(_ payload: ArraySlice<UInt8>) -> VirtError {
        do {
            return try WireError(decoding: payload).error
        } catch {
            return error
        }
    }
}
