import Glibc
package import VirtCore
package import VirtOS
import VirtWire

/// A connected socket that reads and writes whole messages. Confined to its loop: create and call it there only.
package final class FramedSocket: MessagePort {
    package enum Ending: Sendable, Equatable {
        case endOfFile
        case failed(VirtError)
    }

    /// Unwritten bytes above which the owner should stop producing.
    package static let highWater = 1 << 20
    /// Unwritten bytes at which a peer that does not read is given up.
    static let overflow = 96 << 20
    /// Replies to many clients at once find room in it, so that they need not be gathered here.
    private static let wideSendBuffer: Int32 = 1 << 20
    private static let framesPerTurn = 256
    /// From this size on a message is written from where it lies, which costs less than to gather it with others.
    private static let largeMessage = 16 << 10

    package let loop: EventLoop
    package var onFrame: ((Frame) -> Void)?
    package var onTurnEnd: (() -> Void)?
    package var onDrained: (() -> Void)?
    package var onClosed: ((Ending) -> Void)?

    private let descriptor: DescriptorBox
    private var watch: Watch?
    private var decoder: FrameDecoder
    private var output = OutputQueue()
    /// How many hold back what is sent, to write it at once.
    private var corks = 0
    private var pauses = 0
    private var wantsWrite = false
    /// So much is queued that the owner was told to wait for `onDrained`.
    private var isOverfull = false
    private var closesWhenDrained = false
    private var overflow = FramedSocket.overflow
    /// Less than `.all` while the daemon is being replaced.
    private var reads = Reading.all

    private enum Reading {
        case all
        case toMessageEnd
        case nothing
    }
    package private(set) var isOpen = true

    package init(_ descriptor: DescriptorBox, loop: EventLoop, limit: Int = FrameDecoder.largestMessage) {
        self.descriptor = descriptor
        self.loop = loop
        decoder = FrameDecoder(limit: limit)
    }

    /// Starts reading. `self` is kept alive by the loop until it is closed.
    package func start() throws(VirtError) {
        watch = try loop.watch(descriptor.rawValue, [.read], name: "connection") { readiness in self.ready(readiness) }
        if decoder.buffered > 0 { continueLater() }
    }

    /// From now on it takes and keeps more than a single client's messages.
    func widen(largestMessage: Int, readSize: Int, overflow: Int) {
        decoder.limit = largestMessage
        decoder.usualBuffer = readSize
        UnixSocket.setSendBuffer(descriptor.rawValue, bytes: FramedSocket.wideSendBuffer)
        self.overflow = overflow
    }

    package var rawDescriptor: Int32 { descriptor.rawValue }
    package var unwritten: Int { output.bytes }

    package func isFull() -> Bool {
        if output.bytes > FramedSocket.highWater { isOverfull = true }
        return isOverfull
    }

    package var isPaused: Bool { pauses > 0 }

    var hasMoreInput: Bool { decoder.buffered > 0 }

    package func pauseReading() {
        pauses += 1
        if pauses == 1 { updateInterest() }
    }

    package func resumeReading() {
        guard pauses > 0 else { return }
        pauses -= 1
        guard pauses == 0, isOpen else { return }
        updateInterest()
        // What was read before the pause is not announced again by the kernel.
        if decoder.buffered > 0 { continueLater() }
    }

    /// Reads no further than to the end of a message that has begun: what follows stays in the kernel, for the program
    /// that is to take over the socket.
    func stopBetweenMessages() {
        reads = .toMessageEnd
        updateInterest()
    }

    /// Reads nothing more, not even the rest of a message.
    func stopReading() {
        reads = .nothing
        updateInterest()
    }

    /// Takes `stopBetweenMessages` and `stopReading` back.
    func continueReading() {
        reads = .all
        guard isOpen else { return }
        updateInterest()
        if decoder.buffered > 0 { continueLater() }
    }

    /// A message was read in part.
    var isInMessage: Bool { isOpen && decoder.buffered > 0 }

    /// What was read of a message that is not complete; nil when there is more to it than bytes.
    var partialMessage: [UInt8]? { decoder.holdsDescriptors ? nil : decoder.partial }

    /// Starts as if these bytes had just been read: what an earlier program read of a message.
    func restorePartialMessage(_ bytes: [UInt8]) throws(VirtError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe decoder.withFreeSpace(rest.count) { space in
                unsafe space.copyBytes(from: rest.prefix(space.count))
                return space.count
            }
            try decoder.received(count, descriptors: [])
            rest = rest.dropFirst(count)
        }
    }

    /// Queues a whole message and its descriptors; written at once unless the socket is in the middle of a turn.
    package func send(_ message: [UInt8], descriptors: [DescriptorBox]) {
        guard isOpen else { return }
        output.append(message, descriptors: descriptors)
        if corks == 0 { flush() }
    }

    /// Sends a message in two parts; even in the middle of a turn when more than `batch` bytes wait.
    func send(
        _ header: MessageHeader, _ content: ArraySlice<UInt8>, descriptors: [DescriptorBox], flushAbove batch: Int
    ) {
        guard isOpen else { return }
        output.append(header, lending: content, descriptors: descriptors)
        if corks == 0 || output.bytes > batch && !wantsWrite { flush() }
    }

    /// Without a copy when it is large, or the only one that is written.
    func forward(_ message: ArraySlice<UInt8>, descriptors: [DescriptorBox]) {
        guard isOpen else { return }
        guard descriptors.isEmpty else { return send(Array(message), descriptors: descriptors) }
        let isLarge = message.count >= FramedSocket.largeMessage
        if isLarge, !output.isEmpty, !wantsWrite { flush() }
        guard isOpen else { return }
        output.append(lending: message)
        if corks == 0 || isLarge { flush() }
    }

    func cork() { corks += 1 }

    func uncork() {
        guard corks > 0 else { return }
        corks -= 1
        if corks == 0, !output.isEmpty || closesWhenDrained { flush() }
    }

    /// Closes once everything queued is written.
    package func closeWhenDrained() {
        closesWhenDrained = true
        if output.isEmpty { close(.endOfFile) }
    }

    package func close() { close(.endOfFile) }

    package func close(_ ending: Ending) {
        guard isOpen else { return }
        shutdown(descriptor.rawValue, Int32(SHUT_RDWR))
        leave(ending)
    }

    /// Has nothing to do with the connection any more, which is another process's too and goes on.
    package func leave(_ ending: Ending = .endOfFile) {
        guard isOpen else { return }
        isOpen = false
        watch?.cancel()
        watch = nil
        let closed = onClosed
        let turnEnded = onTurnEnd
        onFrame = nil
        onTurnEnd = nil
        onDrained = nil
        onClosed = nil
        output = OutputQueue()
        turnEnded?()
        closed?(ending)
    }

    // MARK: Reading

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.write) { flush() }
        guard isOpen, !isPaused, readiness.wantsReading else { return }
        takeTurn { if receive() { deliver() } }
        if reads != .all { updateInterest() }
    }

    private func takeTurn(_ body: () -> Void) {
        cork()
        body()
        uncork()
        onTurnEnd?()
    }

    /// One read. Level-triggered readiness brings us back for the rest, other sockets get their turn before that.
    private func receive() -> Bool {
        var descriptors: [DescriptorBox] = []
        let most =
            switch reads {
            case .all: Int.max
            case .toMessageEnd: decoder.missing
            case .nothing: 0
            }
        guard most > 0 else { return false }
        let result = unsafe decoder.withFreeSpace(most) {
            unsafe UnixSocket.receive(descriptor.rawValue, into: $0, descriptors: &descriptors)
        }
        switch result {
        case .bytes(let count):
            do {
                try decoder.received(count, descriptors: descriptors)
                return true
            } catch {
                close(.failed(error))
            }
        case .wouldBlock: break
        case .endOfFile: close(.endOfFile)
        case .controlTruncated: close(.failed(VirtError(.rpc, .rpc, "too many file descriptors received")))
        case .error(let code): close(.failed(.system(code, .rpc, "Cannot recv data")))
        }
        return false
    }

    private func deliver() {
        var delivered = 0
        do {
            while isOpen, !isPaused, reads != .nothing, let frame = try decoder.next() {
                onFrame?(frame)
                delivered += 1
                if delivered == FramedSocket.framesPerTurn {
                    continueLater()
                    return
                }
            }
        } catch {
            close(.failed(error))
        }
    }

    private func continueLater() {
        loop.schedule(after: .zero) {
            guard self.isOpen, !self.isPaused else { return }
            self.takeTurn { self.deliver() }
        }
    }

    // MARK: Writing

    private func flush() {
        guard isOpen else { return }
        do {
            try output.write(to: descriptor.rawValue)
        } catch {
            close(.failed(error))
            return
        }
        if output.isEmpty {
            if closesWhenDrained {
                close(.endOfFile)
                return
            }
            if wantsWrite || isOverfull {
                wantsWrite = false
                isOverfull = false
                updateInterest()
                onDrained?()
            }
        } else if output.bytes > overflow {
            close(.failed(VirtError(.rpc, .rpc, "peer does not read: \(output.bytes) bytes are waiting")))
        } else if !wantsWrite {
            wantsWrite = true
            updateInterest()
        }
    }

    private func updateInterest() {
        var interest: Interest = []
        if !isPaused, reads == .all || reads == .toMessageEnd && decoder.buffered > 0 { interest.insert(.read) }
        if wantsWrite { interest.insert(.write) }
        watch?.update(interest)
    }
}
