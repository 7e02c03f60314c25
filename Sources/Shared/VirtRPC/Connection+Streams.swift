import VirtCore
import VirtOS
import VirtWire

/// An open stream of a connection: its state machine, its task, and who waits for it.
struct OpenStream {
    let header: MessageHeader
    var machine: StreamMachine
    var task: Task<Void, Never>?
    var reader: CheckedContinuation<StreamItem?, any Error>?
    var writer: CheckedContinuation<Void, any Error>?
    var pausesSocket = false
}

extension Connection {
    // MARK: From the client

    func handleStream(_ frame: Frame) {
        let header = frame.header
        if router?.forwardStream(frame) == true { return }
        guard client.isAuthenticated, let stream = streams[header.serial] else {
            // A stream that failed: packets that were under way are dropped silently.
            return log.debug("client \(client.id): packet for unknown stream \(header.serial)")
        }
        guard stream.header.procedure == header.procedure, stream.header.program == header.program else {
            return close(.failed(.rpc("stream packet of another procedure")))
        }
        do {
            apply(try StreamMachine.Input(frame), to: header.serial)
        } catch {
            close(.failed(error))
        }
    }

    private func apply(_ input: StreamMachine.Input, to serial: UInt32) {
        guard let actions = streams[serial]?.machine.handle(input) else { return }
        for action in actions { perform(action, serial) }
        feedReader(serial)
        balanceReading(serial)
    }

    private func perform(_ action: StreamMachine.Action, _ serial: UInt32) {
        guard let header = streams[serial]?.header else { return }
        switch action {
        case .sendOk: send(XDRWriter.frame(header.answer(.stream, .ok)))
        case .sendEnd: send(XDRWriter.frame(header.answer(.stream, .continue)))
        case .sendError(let error): send(XDRWriter.frame(header.answer(.stream, .error), error: error))
        case .dropClient(let reason): close(.failed(.rpc(reason)))
        case .cancelTask: streams[serial]?.task?.cancel()
        case .remove: remove(serial)
        }
    }

    private func remove(_ serial: UInt32) {
        guard let stream = streams.removeValue(forKey: serial) else { return }
        stream.task?.cancel()
        stream.reader?.resume(throwing: CancellationError())
        stream.writer?.resume(throwing: CancellationError())
        if stream.pausesSocket { port.resumeReading() }
    }

    func closeStreams() {
        for serial in Array(streams.keys) { remove(serial) }
    }

    /// Hands the next item to a waiting task.
    private func feedReader(_ serial: UInt32) {
        guard let reader = streams[serial]?.reader else { return }
        if let item = streams[serial]?.machine.next() {
            streams[serial]?.reader = nil
            reader.resume(returning: item)
        } else if streams[serial]?.machine.isFinished == true {
            streams[serial]?.reader = nil
            reader.resume(returning: nil)
        }
    }

    /// Reads the socket only while the stream's task keeps up.
    private func balanceReading(_ serial: UInt32) {
        guard let stream = streams[serial] else { return }
        if !stream.pausesSocket, stream.machine.waitingBytes > StreamMachine.incomingLimit {
            streams[serial]?.pausesSocket = true
            port.pauseReading()
        } else if stream.pausesSocket, stream.machine.waitingBytes < StreamMachine.incomingLimit / 2 {
            streams[serial]?.pausesSocket = false
            port.resumeReading()
        }
    }

    // MARK: From the stream's task

    func open(_ body: HandlerTable.StreamBody, _ header: MessageHeader) {
        let serial = header.serial
        guard streams[serial] == nil else { return close(.failed(.rpc("stream \(serial) is open already"))) }
        let sendsEnd =
            server.table(program: header.program, version: header.version)?
            .descriptor(header.procedure)?.stream == .read
        streams[serial] = OpenStream(
            header: header, machine: StreamMachine(isSparse: body.isSparse, sendsEnd: sendsEnd))
        let stream = ServerStream(connection: self, serial: serial)
        streams[serial]?.task = Task(executorPreference: client.loop) {
            do {
                try await body.run(stream)
                await self.apply(.completed, to: serial)
            } catch is CancellationError {
                await self.apply(.failed(VirtError(.operationAborted, .streams, "stream aborted")), to: serial)
            } catch {
                await self.apply(.failed(VirtError(wrapping: error)), to: serial)
            }
        }
    }

    func readStream(_ serial: UInt32) async throws -> StreamItem? {
        guard streams[serial] != nil else { throw CancellationError() }
        if let item = streams[serial]?.machine.next() {
            balanceReading(serial)
            return item
        }
        if streams[serial]?.machine.isFinished == true { return nil }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if Task.isCancelled || streams[serial]?.reader != nil {
                    continuation.resume(throwing: CancellationError())
                } else {
                    streams[serial]?.reader = continuation
                }
            }
        } onCancel: {
            client.loop.execute { self.assumeIsolated { $0.cancelReader(serial) } }
        }
    }

    private func cancelReader(_ serial: UInt32) {
        guard let reader = streams[serial]?.reader else { return }
        streams[serial]?.reader = nil
        reader.resume(throwing: CancellationError())
    }

    func writeStream(_ serial: UInt32, _ content: StreamPacket.Content) async throws {
        try Task.checkCancellation()
        guard let header = streams[serial]?.header, port.isOpen else { throw CancellationError() }
        send(try StreamPacket.frame(header, content))
        guard port.unwritten > FramedSocket.highWater else { return }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            if streams[serial] == nil || streams[serial]?.writer != nil {
                continuation.resume(throwing: CancellationError())
            } else {
                streams[serial]?.writer = continuation
            }
        }
    }

    func resumeStreamWriters() {
        for serial in streams.keys {
            guard let writer = streams[serial]?.writer else { continue }
            streams[serial]?.writer = nil
            writer.resume()
        }
    }
}

extension StreamMachine.Input {
    /// What a stream packet of the client means.
    init(_ frame: Frame) throws(VirtError) {
        if frame.header.type == .streamHole {
            self = .hole(try StreamHole(decoding: frame.payload).length)
            return
        }
        switch frame.header.status {
        case .continue: self = .data(Array(frame.payload))
        case .ok: self = .finish
        case .error: self = .abort
        default: throw .rpc("Unexpected message status \(frame.header.status.rawValue)")
        }
    }
}

extension StreamPacket {
    /// A data or hole packet of a stream.
    static func frame(_ header: MessageHeader, _ content: Content) throws(VirtError) -> [UInt8] {
        switch content {
        case .data(let bytes): XDRWriter.frame(header.answer(.stream, .continue), data: bytes)
        case .hole(let length):
            try XDRWriter.frame(header.answer(.streamHole, .continue), StreamHole(length: length))
        }
    }
}
