import VirtCore
import VirtOS
import VirtWire

/// A connection between two daemons that carries the messages of many clients (trunk.x). Confined to its loop.
///
/// It takes few system calls where each client by itself would take several: a read brings messages of many channels,
/// and what is sent in a turn of the loop goes out at its end.
final class Trunk {
    /// Unwritten bytes at which a peer that does not read is given up. All clients' messages wait together here.
    static let overflow = 1 << 30
    /// A message with its record's header around it.
    static let largestRecord = FrameDecoder.largestMessage + MessageHeader.size + 4
    /// So much is written at once, without waiting for the end of the turn: the peer has something to do meanwhile.
    private static let batch = 32 << 10
    /// Bytes of the buffer for reading.
    private static let readSize = 64 << 10

    let loop: EventLoop
    /// The peer opens a channel. Without it, a peer that does so breaks the protocol.
    var onOpen: ((TrunkChannel, _ isReadOnly: Bool) -> Void)?
    var onClosed: (() -> Void)?

    private let socket: FramedSocket
    private var channels: [UInt32: TrunkChannel] = [:]
    private var lastNumber: UInt32 = 0
    /// Channels that got messages in this turn.
    private var served: [TrunkChannel] = []
    private var holdsBack = false
    private var isReadingPaused = false

    /// Takes over a socket that both sides have agreed to use as a trunk.
    init(_ socket: FramedSocket) {
        self.socket = socket
        loop = socket.loop
        socket.onFrame = { frame in self.handle(frame) }
        socket.onTurnEnd = { [unowned self] in self.turnEnded() }
        socket.onDrained = { [unowned self] in self.drained() }
        socket.onClosed = { [unowned self] ending in self.closed(ending) }
        socket.widen(largestMessage: Trunk.largestRecord, readSize: Trunk.readSize, overflow: Trunk.overflow)
    }

    var isOpen: Bool { socket.isOpen }
    var unwritten: Int { socket.unwritten }
    var hasMoreInput: Bool { socket.hasMoreInput }

    func close() { socket.close() }

    /// Opens a channel for a client.
    func open(readOnly: Bool) -> TrunkChannel {
        repeat { lastNumber &+= 1 } while channels[lastNumber] != nil
        let channel = TrunkChannel(number: lastNumber, trunk: self)
        channels[lastNumber] = channel
        write(TrunkProgram.Open.descriptor, lastNumber, [0, 0, 0, readOnly ? 1 : 0])
        return channel
    }

    // MARK: From the channels

    func send(_ message: ArraySlice<UInt8>, _ descriptors: [DescriptorBox], on channel: TrunkChannel) {
        write(TrunkProgram.Message.descriptor, channel.number, message, descriptors)
    }

    func hold(_ channel: TrunkChannel) { write(TrunkProgram.Hold.descriptor, channel.number) }

    func resume(_ channel: TrunkChannel) { write(TrunkProgram.Resume.descriptor, channel.number) }

    func remove(_ channel: TrunkChannel) {
        guard channels.removeValue(forKey: channel.number) != nil else { return }
        write(TrunkProgram.Close.descriptor, channel.number)
    }

    private func write(
        _ procedure: ProcedureDescriptor, _ number: UInt32, _ content: ArraySlice<UInt8> = [],
        _ descriptors: [DescriptorBox] = []
    ) {
        guard socket.isOpen else { return }
        if !holdsBack {
            holdsBack = true
            socket.cork()
            loop.schedule(after: .zero) { [self] in
                holdsBack = false
                socket.uncork()
            }
        }
        let type: MessageHeader.Kind = descriptors.isEmpty ? .message : .callWithDescriptors
        let header = MessageHeader(procedure, type: type, serial: number)
        socket.send(header, content, descriptors: descriptors, flushAbove: Trunk.batch)
        // A client's daemon reads no more calls while its replies are not taken. The other side always reads.
        if onOpen != nil, !isReadingPaused, socket.isFull() {
            isReadingPaused = true
            socket.pauseReading()
        }
    }

    private func drained() {
        if isReadingPaused {
            isReadingPaused = false
            socket.resumeReading()
        }
        for channel in channels.values { channel.trunkDrained() }
    }

    // MARK: From the peer

    private func handle(_ frame: Frame) {
        guard frame.header.program == TrunkProgram.number else { return violation("message of another program") }
        let number = frame.header.serial
        switch frame.header.procedure {
        case TrunkProgram.Message.descriptor.number:
            // One that is gone here: the peer does not know yet.
            guard let channel = channels[number] else { return }
            do {
                serve(channel, try Frame(record: frame))
            } catch {
                violation(error.message)
            }
        case TrunkProgram.Open.descriptor.number: opened(number, frame.payload)
        case TrunkProgram.Close.descriptor.number: channels.removeValue(forKey: number)?.closedByPeer(.endOfFile)
        case TrunkProgram.Hold.descriptor.number: channels[number]?.isHeld = true
        case TrunkProgram.Resume.descriptor.number: channels[number]?.isHeld = false
        default: violation("unknown procedure \(frame.header.procedure)")
        }
    }

    private func serve(_ channel: TrunkChannel, _ frame: Frame) {
        if !channel.isServed {
            channel.isServed = true
            served.append(channel)
        }
        channel.deliver(frame)
    }

    private func turnEnded() {
        for channel in served {
            channel.isServed = false
            channel.onTurnEnd?()
        }
        served.removeAll(keepingCapacity: true)
    }

    private func opened(_ number: UInt32, _ content: ArraySlice<UInt8>) {
        guard let onOpen, channels[number] == nil, let isReadOnly = Int32(wire: content) else {
            return violation("channel \(number) cannot be opened")
        }
        let channel = TrunkChannel(number: number, trunk: self)
        channels[number] = channel
        onOpen(channel, isReadOnly != 0)
    }

    private func violation(_ text: String) { socket.close(.failed(.rpc("trunk: \(text)"))) }

    private func closed(_ ending: FramedSocket.Ending) {
        if case .failed(let error) = ending { log.warning("trunk: \(error.message)") }
        let ended = channels.values
        channels = [:]
        onOpen = nil
        for channel in ended { channel.closedByPeer(ending) }
        onClosed?()
        onClosed = nil
    }
}

extension Frame {
    /// The message that is the content of a trunk's record.
    fileprivate init(record: Frame) throws(VirtError) {
        try self.init(message: record.payload, descriptors: record.descriptors)
    }
}
