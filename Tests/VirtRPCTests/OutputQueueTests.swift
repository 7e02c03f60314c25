import Glibc
import Testing
import VirtCore
import VirtOS

@testable import VirtRPC

@Suite struct OutputQueueTests {
    private let writer: DescriptorBox
    private let reader: DescriptorBox

    init() throws { (writer, reader) = Swarm.split(try UnixSocket.pair()) }

    /// What has arrived, up to so many bytes.
    private func read(_ most: Int = 1 << 22) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
            count = max(0, recv(reader.rawValue, buffer.baseAddress, most, Int32(MSG_DONTWAIT)))
        }
    }

    @Test func `a message that is lent alone is written from where it lies`() throws {
        var queue = OutputQueue()
        let buffer: [UInt8] = [9, 1, 2, 3, 9]
        queue.append(lending: buffer[1..<4])
        #expect(queue.bytes == 3)
        try queue.write(to: writer.rawValue)
        #expect(queue.isEmpty)
        #expect(read() == [1, 2, 3])
    }

    @Test func `lent, copied and own messages keep their order`() throws {
        var queue = OutputQueue()
        queue.append(lending: [1, 2])
        queue.append([3], descriptors: [])
        queue.append(lending: [4, 5])
        #expect(queue.bytes == 5)
        try queue.write(to: writer.rawValue)
        #expect(queue.isEmpty)
        #expect(read() == [1, 2, 3, 4, 5])
    }

    @Test func `what the socket does not take of a lent message is kept`() throws {
        var queue = OutputQueue()
        let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 >> 8 ^ $0) }
        queue.append(lending: large[...])
        try queue.write(to: writer.rawValue)
        #expect(!queue.isEmpty)
        queue.append(lending: [7])
        var arrived: [UInt8] = []
        while !queue.isEmpty {
            arrived += read()
            try queue.write(to: writer.rawValue)
        }
        while arrived.count <= large.count { arrived += read() }
        #expect(arrived == large + [7])
    }

    @Test func `a closed peer is an error`() throws {
        var queue = OutputQueue()
        shutdown(reader.rawValue, Int32(SHUT_RDWR))
        queue.append(lending: [1])
        #expect(throws: VirtError.self) { try queue.write(to: writer.rawValue) }
    }
}
