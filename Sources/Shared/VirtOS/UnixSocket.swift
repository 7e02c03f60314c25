import CLinux
import Glibc
package import VirtCore

/// UNIX stream sockets, close-on-exec and non-blocking from birth, with descriptor passing.
package enum UnixSocket {
    /// What a read brought. Descriptors, if any, belong to the bytes of the same read.
    package enum ReceiveResult: Equatable, Sendable {
        case bytes(Int)
        case endOfFile
        case wouldBlock
        case error(Int32)
        /// More descriptors came than the kernel could hand over; those that did arrive were closed.
        case controlTruncated
    }

    package enum SendResult: Equatable, Sendable {
        case bytes(Int)
        case wouldBlock
        case error(Int32)
    }

    /// What an attempt to accept brought.
    package enum AcceptResult: ~Copyable, Sendable {
        case accepted(OwnedDescriptor)
        case wouldBlock
        /// The client gave up before it was accepted; others may be waiting.
        case aborted
        /// The process or the machine has no descriptors or memory left; the client stays in the queue.
        case exhausted(Int32)
        case error(Int32)
    }

    /// Reads once. Received descriptors, close-on-exec, are appended to `descriptors`.
    package static func receive(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, descriptors: inout [DescriptorBox]
    ) -> ReceiveResult {
        unsafe withUnsafeTemporaryAllocation(of: Int32.self, capacity: Int(CLINUX_MAX_DESCRIPTORS)) { received in
            var count: Int32 = 0
            var truncated = false
            let result = unsafe clinux_receive(
                descriptor, buffer.baseAddress, buffer.count, received.baseAddress, &count, &truncated)
            if truncated {
                for index in 0..<Int(count) { unsafe close(received[index]) }
                return .controlTruncated
            }
            for index in 0..<Int(count) { unsafe descriptors.append(DescriptorBox(OwnedDescriptor(received[index]))) }
            if result > 0 { return .bytes(result) }
            if result == 0 { return unsafe buffer.isEmpty ? .bytes(0) : .endOfFile }
            return result == -Int(EAGAIN) ? .wouldBlock : .error(Int32(truncatingIfNeeded: -result))
        }
    }

    /// Writes once, with a descriptor attached to the first byte. Never raises SIGPIPE.
    package static func send(
        _ socket: Int32, _ bytes: UnsafeRawBufferPointer, descriptor: Int32? = nil
    ) -> SendResult {
        guard let descriptor else { return unsafe send(socket, bytes, nil, 0) }
        return unsafe withUnsafePointer(to: descriptor) { unsafe send(socket, bytes, $0, 1) }
    }

    /// Writes once, with up to 253 descriptors attached to the first byte.
    package static func send(
        _ socket: Int32, _ bytes: UnsafeRawBufferPointer, descriptors: [Int32]
    ) -> SendResult {
        guard descriptors.count <= Int(CLINUX_MAX_DESCRIPTORS) else { return .error(EINVAL) }
        return unsafe descriptors.withUnsafeBufferPointer {
            unsafe send(socket, bytes, $0.baseAddress, Int32($0.count))
        }
    }

    private static func send(
        _ socket: Int32, _ bytes: UnsafeRawBufferPointer, _ descriptors: UnsafePointer<Int32>?, _ count: Int32
    ) -> SendResult {
        sendResult(unsafe clinux_send(socket, bytes.baseAddress, bytes.count, descriptors, count))
    }

    /// Writes once, one buffer behind the other.
    package static func send(
        _ socket: Int32, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) -> SendResult {
        sendResult(
            unsafe clinux_send_two(socket, first.baseAddress, first.count, second.baseAddress, second.count))
    }

    private static func sendResult(_ result: Int) -> SendResult {
        if result >= 0 { return .bytes(result) }
        return result == -Int(EAGAIN) ? .wouldBlock : .error(Int32(truncatingIfNeeded: -result))
    }

    /// Lets so many bytes wait in the kernel for the peer; fewer where this process may not ask for so many.
    package static func setSendBuffer(_ socket: Int32, bytes: Int32) {
        var size = bytes
        for option in [SO_SNDBUFFORCE, SO_SNDBUF]
        where unsafe setsockopt(socket, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<Int32>.size)) == 0 { return }
    }

    /// Takes the next client, telling apart why there is none.
    package static func acceptNext(_ listener: Int32) -> AcceptResult {
        let result = clinux_accept(listener)
        guard result < 0 else { return .accepted(OwnedDescriptor(result)) }
        switch -result {
        case EAGAIN: return .wouldBlock
        case ECONNABORTED, EPROTO: return .aborted
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(-result)
        default: return .error(-result)
        }
    }

    /// Takes the next client; nil when none is waiting. Throws when there is one that the process has no descriptor for
    /// (`int1` of the error is EMFILE, ENFILE, ENOBUFS or ENOMEM): the listener stays good.
    package static func accept(_ listener: Int32) throws(VirtError) -> OwnedDescriptor? {
        while true {
            switch acceptNext(listener) {
            case .accepted(let client): return consume client
            case .wouldBlock: return nil
            case .aborted: continue
            case .exhausted(let code): throw .system(code, .rpc, "Unable to accept client")
            case .error(let code): throw .system(code, .rpc, "Unable to accept client")
            }
        }
    }

    /// Two connected sockets.
    package static func pair() throws(VirtError) -> Pair {
        var ends: [Int32] = [-1, -1]
        let result = unsafe clinux_unix_pair(&ends)
        guard result >= 0 else { throw .system(-result, .rpc, "Unable to create socket pair") }
        return Pair(first: DescriptorBox(OwnedDescriptor(ends[0])), second: DescriptorBox(OwnedDescriptor(ends[1])))
    }

    /// The ends of `pair()`.
    package struct Pair: Sendable {
        package let first: DescriptorBox
        package let second: DescriptorBox
    }

    /// Connects without waiting: a listener whose queue is full is EAGAIN.
    package static func connect(path: String) throws(VirtError) -> OwnedDescriptor {
        let socket = try make()
        let result = unsafe path.withUTF8Bytes { unsafe clinux_unix_connect(socket.rawValue, $0, $1) }
        guard result >= 0 else { throw .system(-result, .rpc, "Failed to connect socket to '\(path)'") }
        return socket
    }

    /// Connects, and while the listener's queue is full tries again until `timeout`. Does not block.
    package nonisolated(nonsending) static func connect(
        path: String, timeout: Duration, on loop: EventLoop
    ) async throws -> DescriptorBox {
        let deadline = MonotonicTime.now() + timeout
        var pause = Duration.milliseconds(1)
        while true {
            do throws(VirtError) {
                return DescriptorBox(try connect(path: path))
            } catch {
                guard error.int1 == EAGAIN, MonotonicTime.now() < deadline else { throw error }
            }
            try await loop.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(50))
        }
    }

    /// A socket that is to be connected yet.
    package static func make() throws(VirtError) -> OwnedDescriptor {
        let raw = clinux_unix_socket()
        guard raw >= 0 else { throw .system(-raw, .rpc, "Failed to create socket") }
        return OwnedDescriptor(raw)
    }
}

extension String {
    /// The bytes and their count, for calls that take paths which may hold anything.
    func withUTF8Bytes<Result>(_ body: (UnsafePointer<CChar>?, Int) -> Result) -> Result {
        var copy = self
        return copy.withUTF8 { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { unsafe body($0.baseAddress, $0.count) }
        }
    }
}
