import CEpoll
import Glibc

/// One connection that is kept full of calls. Buffers are raw: the generator must cost less than what it measures.
final class Pump {
    let socket: Int32
    private var input: UnsafeMutableRawBufferPointer
    private var have = 0
    private let output: UnsafeMutableRawBufferPointer
    private let length: Int
    private let starts: UnsafeMutableBufferPointer<UInt64>
    private let depth: Int
    private var serial: UInt32 = 0
    private(set) var errors = 0
    private(set) var bytes = 0
    private(set) var replies = 0
    private(set) var pongs = 0
    private(set) var slowestPong: UInt64 = 0
    private var pingSent: UInt64 = 0
    /// No new call follows a reply any more.
    var isStopped = false

    init(_ socket: Int32, _ call: Call, depth: Int) {
        self.socket = socket
        self.depth = depth
        let message = Message(procedure: call.procedure, payload: call.payload)
        length = message.bytes.count
        input = .allocate(byteCount: 1 << 16, alignment: 16)
        output = .allocate(byteCount: length * depth, alignment: 16)
        starts = .allocate(capacity: depth)
        for index in 0..<depth {
            UnsafeMutableRawBufferPointer(rebasing: output[(index * length)...]).copyBytes(from: message.bytes)
        }
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
    }

    deinit {
        input.deallocate()
        output.deallocate()
        starts.deallocate()
        close(socket)
    }

    /// Sends as many calls at once.
    func send(_ count: Int) throws {
        let start = now()
        for index in 0..<count {
            serial &+= 1
            starts[Int(serial) % depth] = start
            UnsafeMutableRawBufferPointer(rebasing: output[(index * length)...]).set(serial, at: 20)
        }
        try write(UnsafeRawBufferPointer(rebasing: output[..<(count * length)]))
    }

    /// A keepalive ping; `pongs` and `slowestPong` tell of the answers.
    func ping() throws {
        pingSent = now()
        try Message.keepalivePing.bytes.withUnsafeBytes { try write($0) }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        var sent = 0
        while sent < bytes.count {
            let count = Glibc.send(socket, bytes.baseAddress! + sent, bytes.count - sent, 0x4000)
            if count < 0, errno == EAGAIN {
                var wait = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
                poll(&wait, 1, 1000)
                continue
            }
            guard count > 0 else { throw Failure.system("send") }
            sent += count
        }
    }

    /// Reads what is there, notes the times of the replies and sends as many new calls.
    func ready(_ latencies: inout Latencies) throws {
        if have == input.count { grow() }
        let count = recv(socket, input.baseAddress! + have, input.count - have, 0)
        if count < 0, errno == EAGAIN { return }
        guard count > 0 else { throw count == 0 ? Failure("connection closed") : Failure.system("recv") }
        have += count
        bytes += count
        let answered = take(&latencies)
        if answered > 0, !isStopped { try send(answered) }
    }

    private func take(_ latencies: inout Latencies) -> Int {
        let end = now()
        let base = UnsafeRawPointer(input.baseAddress!)
        var (offset, answered) = (0, 0)
        while have - offset >= Message.headerSize {
            let frame = base + offset
            let size = Int(frame.word(0))
            guard size >= Message.headerSize, have - offset >= size else { break }
            offset += size
            if frame.word(16) == Message.Kind.reply.rawValue {
                latencies.add(end &- starts[Int(frame.word(20)) % depth])
                if frame.word(24) != 0 { errors += 1 }
                answered += 1
            } else if frame.word(4) == Message.keepaliveProgram, frame.word(12) == Message.pong {
                pongs += 1
                slowestPong = max(slowestPong, end &- pingSent)
            }
        }
        if offset > 0 {
            have -= offset
            memmove(input.baseAddress!, input.baseAddress! + offset, have)
        }
        replies += answered
        return answered
    }

    private func grow() {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count * 4, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(input))
        input.deallocate()
        input = larger
    }
}

/// Waits for any of a few connections.
struct Waiter: ~Copyable {
    private let epoll: Int32
    private let tags = UnsafeMutablePointer<UInt32>.allocate(capacity: 256)

    init() throws {
        epoll = epoll_create1(0)
        guard epoll >= 0 else { throw Failure.system("epoll") }
    }

    deinit {
        close(epoll)
        tags.deallocate()
    }

    func add(_ pump: Pump, _ tag: Int) throws {
        guard bench_epoll_add(epoll, pump.socket, UInt32(tag)) == 0 else { throw Failure.system("epoll") }
    }

    /// Calls `body` with the tag of each that is ready, after at most so many milliseconds.
    func wait(_ milliseconds: Int32, _ body: (Int) throws -> Void) throws {
        let count = bench_epoll_wait(epoll, tags, 256, milliseconds)
        for index in 0..<max(0, Int(count)) { try body(Int(tags[index])) }
    }
}
