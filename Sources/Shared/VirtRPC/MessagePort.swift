import VirtCore
import VirtOS

/// One end of a conversation in whole messages: a socket, or a channel of a trunk. Confined to its loop.
///
/// The owner is told through `onFrame`, `onTurnEnd` (no message of what was read is left), `onDrained` (what waited
/// was passed on) and `onClosed` (once; the port is gone).
protocol MessagePort: AnyObject {
    var onFrame: ((Frame) -> Void)? { get set }
    var onTurnEnd: (() -> Void)? { get set }
    var onDrained: (() -> Void)? { get set }
    var onClosed: ((FramedSocket.Ending) -> Void)? { get set }

    var isOpen: Bool { get }
    var isPaused: Bool { get }
    /// Bytes that wait to be written.
    var unwritten: Int { get }
    /// Bytes were read behind the message that is being handled.
    var hasMoreInput: Bool { get }

    func start() throws(VirtError)
    /// Whether the owner should stop producing; if so, `onDrained` will tell when it may go on.
    func isFull() -> Bool
    /// No message is delivered until as many `resumeReading` calls were made.
    func pauseReading()
    func resumeReading()
    func send(_ message: [UInt8], descriptors: [DescriptorBox])
    /// Sends a message that lies in another port's buffer.
    func forward(_ message: ArraySlice<UInt8>, descriptors: [DescriptorBox])
    /// Holds back what is sent until as many `uncork` calls were made: several messages take one system call.
    func cork()
    func uncork()
    func closeWhenDrained()
    func close(_ ending: FramedSocket.Ending)
}

extension MessagePort {
    func send(_ message: [UInt8]) { send(message, descriptors: []) }
}
