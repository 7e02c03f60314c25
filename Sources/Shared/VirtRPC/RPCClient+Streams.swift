import VirtCore
import VirtOS
import VirtWire

/// An open stream of the client half.
struct ClientStreamState {
    let header: MessageHeader
    var waiting: [StreamItem] = []
    var waitingBytes = 0
    /// The daemon sent its last data.
    var isAtEnd = false
    var reader: CheckedContinuation<StreamItem?, any Error>?
    var writer: CheckedContinuation<Void, any Error>?
    var closer: CheckedContinuation<Void, any Error>?
    var failure: VirtError?
    var pausesSocket = false
}

/// The caller's end of a stream. Finish or abort it.
package final class ClientStream: Sendable {
    private let client: RPCClient
    private let serial: UInt32

    init(client: RPCClient, serial: UInt32) {
        self.client = client
        self.serial = serial
    }

    /// The next piece; nil at the end of the data.
    package func read() async throws -> StreamItem? { try await client.readStream(serial) }

    package func write(_ bytes: [UInt8]) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(StreamPacket.largestChunk)
            try await client.writeStream(serial, .data(chunk))
            rest = rest.dropFirst(chunk.count)
        }
    }

    package func writeHole(_ length: Int64) async throws { try await client.writeStream(serial, .hole(length)) }

    /// Ends the stream and waits until the daemon has done all of its part.
    package func finish() async throws { try await client.endStream(serial, .ok) }

    /// Gives the stream up.
    package func abort() async throws { try await client.endStream(serial, .error) }
}

extension RPCClient {
    private static var incomingLimit: Int { StreamMachine.incomingLimit }

    func handleStream(_ frame: Frame) {
        let serial = frame.header.serial
        guard streams[serial] != nil else { return }
        do {
            switch (frame.header.type, frame.header.status) {
            case (.streamHole, _):
                append(.hole(try StreamHole(decoding: frame.payload).length), size: 16, to: serial)
            case (_, .continue) where frame.payload.isEmpty:
                streams[serial]?.isAtEnd = true
                feedReader(serial)
            case (_, .continue): append(.data(Array(frame.payload)), size: frame.payload.count, to: serial)
            case (_, .ok): end(serial, nil)
            case (_, .error): end(serial, WireError.decode(frame.payload))
            default: throw VirtError.rpc("Unexpected message status \(frame.header.status.rawValue)")
            }
        } catch {
            socket.close(.failed(VirtError(wrapping: error)))
        }
    }

    private func append(_ item: StreamItem, size: Int, to serial: UInt32) {
        streams[serial]?.waiting.append(item)
        streams[serial]?.waitingBytes += size
        feedReader(serial)
        balance(serial)
    }

    private func balance(_ serial: UInt32) {
        guard let stream = streams[serial] else { return }
        if !stream.pausesSocket, stream.waitingBytes > Self.incomingLimit {
            streams[serial]?.pausesSocket = true
            socket.pauseReading()
        } else if stream.pausesSocket, stream.waitingBytes < Self.incomingLimit / 2 {
            streams[serial]?.pausesSocket = false
            socket.resumeReading()
        }
    }

    private func nextItem(_ serial: UInt32) -> StreamItem? {
        guard let stream = streams[serial], let item = stream.waiting.first else { return nil }
        streams[serial]?.waiting.removeFirst()
        switch item {
        case .data(let bytes): streams[serial]?.waitingBytes -= bytes.count
        case .hole: streams[serial]?.waitingBytes -= 16
        }
        return item
    }

    private func feedReader(_ serial: UInt32) {
        guard let reader = streams[serial]?.reader else { return }
        if let item = nextItem(serial) {
            streams[serial]?.reader = nil
            reader.resume(returning: item)
        } else if streams[serial]?.isAtEnd == true {
            streams[serial]?.reader = nil
            reader.resume(returning: nil)
        }
    }

    /// The daemon ended the stream, well or with an error.
    private func end(_ serial: UInt32, _ failure: VirtError?) {
        guard let stream = streams[serial] else { return }
        if stream.pausesSocket { socket.resumeReading() }
        guard let failure else {
            streams[serial] = nil
            stream.reader?.resume(returning: nil)
            stream.writer?.resume(throwing: VirtError.rpc("stream is finished"))
            stream.closer?.resume()
            return
        }
        if let closer = stream.closer {
            streams[serial] = nil
            closer.resume(throwing: failure)
        } else {
            streams[serial]?.failure = failure
            streams[serial]?.reader = nil
            streams[serial]?.writer = nil
        }
        stream.reader?.resume(throwing: failure)
        stream.writer?.resume(throwing: failure)
    }

    func failStreams(_ error: VirtError) {
        for serial in Array(streams.keys) { end(serial, error) }
    }

    func readStream(_ serial: UInt32) async throws -> StreamItem? {
        guard let stream = streams[serial] else { return nil }
        if let item = nextItem(serial) {
            balance(serial)
            return item
        }
        if let failure = stream.failure { throw failure }
        if stream.isAtEnd { return nil }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if Task.isCancelled || streams[serial]?.reader != nil {
                    continuation.resume(throwing: CancellationError())
                } else {
                    streams[serial]?.reader = continuation
                }
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.cancelReader(serial) } }
        }
    }

    private func cancelReader(_ serial: UInt32) {
        guard let reader = streams[serial]?.reader else { return }
        streams[serial]?.reader = nil
        reader.resume(throwing: CancellationError())
    }

    func writeStream(_ serial: UInt32, _ content: StreamPacket.Content) async throws {
        try Task.checkCancellation()
        guard let stream = streams[serial] else { throw VirtError.rpc("stream is closed") }
        if let failure = stream.failure { throw failure }
        socket.send(try StreamPacket.frame(stream.header, content))
        guard socket.unwritten > FramedSocket.highWater else { return }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            if streams[serial] == nil || streams[serial]?.writer != nil {
                continuation.resume(throwing: VirtError.rpc("stream is closed"))
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

    func endStream(_ serial: UInt32, _ status: MessageHeader.Status) async throws {
        guard let stream = streams[serial] else { return }
        if let failure = stream.failure {
            streams[serial] = nil
            throw failure
        }
        socket.send(XDRWriter.frame(stream.header.answer(.stream, status)))
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            streams[serial]?.closer = continuation
        }
    }
}
