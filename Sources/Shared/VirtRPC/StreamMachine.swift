import VirtCore
import VirtWire

/// The daemon's side of one stream as a state machine without I/O: what comes in goes in, what to do comes out.
struct StreamMachine {
    enum Input {
        case data([UInt8])
        case hole(Int64)
        /// The client is done: an `ok` packet without bytes.
        case finish
        /// The client gives up: an `error` packet.
        case abort
        /// The stream's task returned.
        case completed
        /// The stream's task threw.
        case failed(VirtError)
    }

    enum Action: Equatable {
        /// An `ok` packet without bytes: the answer to finish and to abort.
        case sendOk
        case sendError(VirtError)
        /// A `continue` packet without bytes: no more data will come.
        case sendEnd
        /// The client broke the protocol.
        case dropClient(String)
        case cancelTask
        /// Nothing more will happen: forget the stream.
        case remove
    }

    /// Bytes that may wait for the task before the socket is no longer read.
    static let incomingLimit = 1 << 20

    let isSparse: Bool
    /// Whether the task's end is announced with the empty packet (streams towards the client).
    let sendsEnd: Bool
    private(set) var waiting: [StreamItem] = []
    private var firstWaiting = 0
    private(set) var waitingBytes = 0
    private(set) var isFinished = false
    private var isCompleted = false

    init(isSparse: Bool, sendsEnd: Bool) {
        self.isSparse = isSparse
        self.sendsEnd = sendsEnd
    }

    mutating func handle(_ input: Input) -> [Action] {
        switch input {
        case .data(let bytes):
            guard !isFinished else { return [.dropClient("stream data after finish")] }
            // After the task is done its incoming direction leads nowhere.
            if !isCompleted { append(.data(bytes), size: bytes.count) }
            return []
        case .hole(let length):
            guard isSparse, length > 0 else { return [.dropClient("unexpected stream hole")] }
            guard !isFinished else { return [.dropClient("stream hole after finish")] }
            if !isCompleted { append(.hole(length), size: 16) }
            return []
        case .finish:
            guard !isFinished else { return [.dropClient("stream finished twice")] }
            isFinished = true
            return isCompleted ? [.sendOk, .remove] : []
        case .abort:
            return [.cancelTask, .sendOk, .remove]
        case .completed:
            isCompleted = true
            if isFinished { return [.sendOk, .remove] }
            return sendsEnd ? [.sendEnd] : []
        case .failed(let error):
            return [.sendError(error), .remove]
        }
    }

    private mutating func append(_ item: StreamItem, size: Int) {
        waiting.append(item)
        waitingBytes += size
    }

    /// The next item for the task, if one is there.
    mutating func next() -> StreamItem? {
        guard firstWaiting < waiting.count else { return nil }
        let item = waiting[firstWaiting]
        firstWaiting += 1
        if firstWaiting == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            firstWaiting = 0
        }
        switch item {
        case .data(let bytes): waitingBytes -= bytes.count
        case .hole: waitingBytes -= 16
        }
        return item
    }
}

/// Facts of stream packets that both halves share.
package enum StreamPacket {
    /// Largest data packet that peers of all ages take.
    package static let largestChunk = MessageLimit.streamChunk

    enum Content {
        case data(ArraySlice<UInt8>)
        case hole(Int64)
    }
}
