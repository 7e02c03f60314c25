import VirtCore
import VirtOS

/// One client's part of a trunk. Confined to its loop.
///
/// A side that does not keep up says so (HOLD), and the other keeps what it has, so that nobody waits for another's
/// client.
final class TrunkChannel: MessagePort {
    let number: UInt32
    var onFrame: ((Frame) -> Void)?
    var onTurnEnd: (() -> Void)?
    var onDrained: (() -> Void)?
    var onClosed: ((FramedSocket.Ending) -> Void)?
    private(set) var isOpen = true
    /// It is on the trunk's list of those that got messages in this turn.
    var isServed = false
    /// The peer wants no messages now.
    var isHeld = false { didSet { if oldValue, !isHeld { flush() } } }

    private let trunk: Trunk
    private var pauses = 0
    /// Messages that came while no more were wanted.
    private var input: ArraySlice<Frame> = []
    private var inputBytes = 0
    /// Messages that the peer does not want yet.
    private var output: ArraySlice<(message: [UInt8], descriptors: [DescriptorBox])> = []
    private var heldBytes = 0
    private var closesWhenDrained = false

    init(number: UInt32, trunk: Trunk) {
        self.number = number
        self.trunk = trunk
    }

    var isPaused: Bool { pauses > 0 }
    var unwritten: Int { heldBytes + trunk.unwritten }
    var hasMoreInput: Bool { !input.isEmpty || trunk.hasMoreInput }

    /// The trunk has been started.
    func start() {}

    /// The trunk itself sees to it that not too much is asked of a daemon whose replies are not taken.
    func isFull() -> Bool { heldBytes > FramedSocket.highWater }

    // MARK: Reading

    func pauseReading() {
        pauses += 1
        if pauses == 1, isOpen { trunk.hold(self) }
    }

    func resumeReading() {
        guard pauses > 0 else { return }
        pauses -= 1
        guard pauses == 0, isOpen else { return }
        trunk.resume(self)
        if !input.isEmpty { trunk.loop.schedule(after: .zero) { self.deliverInput() } }
    }

    func deliver(_ frame: Frame) {
        if pauses == 0, input.isEmpty {
            onFrame?(frame)
        } else {
            input.append(Frame(copying: frame))
            inputBytes += frame.bytes.count
            // It was asked to wait.
            if inputBytes > FramedSocket.overflow { close(.failed(.rpc("peer does not wait"))) }
        }
    }

    private func deliverInput() {
        while pauses == 0, let frame = input.popFirst() {
            inputBytes -= frame.bytes.count
            onFrame?(frame)
        }
        onTurnEnd?()
    }

    // MARK: Writing

    func send(_ message: [UInt8], descriptors: [DescriptorBox]) { forward(message[...], descriptors: descriptors) }

    func forward(_ message: ArraySlice<UInt8>, descriptors: [DescriptorBox]) {
        guard isOpen else { return }
        guard isHeld || !output.isEmpty else { return trunk.send(message, descriptors, on: self) }
        output.append((Array(message), descriptors))
        heldBytes += message.count
        if heldBytes > FramedSocket.overflow {
            close(.failed(.rpc("peer does not read: \(heldBytes) bytes are waiting")))
        }
    }

    private func flush() {
        guard isOpen, !output.isEmpty else { return }
        while let (message, descriptors) = output.popFirst() {
            trunk.send(message[...], descriptors, on: self)
        }
        heldBytes = 0
        if closesWhenDrained { return close(.endOfFile) }
        onDrained?()
    }

    /// What the trunk had to write is written.
    func trunkDrained() {
        if output.isEmpty { onDrained?() }
    }

    /// The trunk holds back what is sent in a turn, of all its channels together.
    func cork() {}
    func uncork() {}

    // MARK: The end

    func closeWhenDrained() {
        if output.isEmpty { close(.endOfFile) } else { closesWhenDrained = true }
    }

    func close(_ ending: FramedSocket.Ending) {
        guard isOpen else { return }
        trunk.remove(self)
        closedByPeer(ending)
    }

    /// The trunk does not know the channel any more.
    func closedByPeer(_ ending: FramedSocket.Ending) {
        guard isOpen else { return }
        isOpen = false
        let turnEnded = onTurnEnd
        let closed = onClosed
        onFrame = nil
        onTurnEnd = nil
        onDrained = nil
        onClosed = nil
        input = []
        output = []
        turnEnded?()
        closed?(ending)
    }
}
