import Glibc
import Testing
import VirtCore
import VirtOS
import VirtWire

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

    /// So many bytes that they are lent, or so few that they are copied.
    static let sizes = [3, 3000]

    @Test(arguments: sizes) func `a message that is lent alone is written from where it lies`(size: Int) throws {
        var queue = OutputQueue()
        let buffer = (0..<size + 2).map { UInt8(truncatingIfNeeded: $0) }
        queue.append(lending: buffer[1...size])
        #expect(queue.bytes == size)
        try queue.write(to: writer.rawValue)
        #expect(queue.isEmpty)
        #expect(read() == Array(buffer[1...size]))
    }

    @Test(arguments: sizes) func `lent and own messages keep their order`(size: Int) throws {
        var queue = OutputQueue()
        let messages = (1...5).map { [UInt8](repeating: $0, count: size) }
        queue.append(lending: messages[0][...])
        queue.append(messages[1], descriptors: [])
        queue.append(lending: messages[2][...])
        queue.append(lending: messages[3][...])
        queue.append(messages[4], descriptors: [])
        #expect(queue.bytes == size * 5)
        try queue.write(to: writer.rawValue)
        #expect(queue.isEmpty)
        #expect(read() == messages.flatMap(\.self))
    }

    @Test func `the buffer of a lent message is free once it is written`() throws {
        var queue = OutputQueue()
        var buffer = [UInt8](repeating: 1, count: 3000)
        let place = buffer.withUnsafeBytes { $0.baseAddress }
        queue.append(lending: buffer[...])
        try queue.write(to: writer.rawValue)
        buffer[0] = 2
        #expect(buffer.withUnsafeBytes { $0.baseAddress } == place)
    }

    @Test(arguments: [[], [UInt8](repeating: 1, count: 10), [UInt8](repeating: 2, count: 1_000_000)])
    func `what the socket does not take of a lent message is kept`(before: [UInt8]) throws {
        var queue = OutputQueue()
        let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 >> 8 ^ $0) }
        queue.append(before, descriptors: [])
        queue.append(lending: large[...])
        try queue.write(to: writer.rawValue)
        #expect(!queue.isEmpty)
        queue.append(lending: [7])
        var arrived: [UInt8] = []
        while !queue.isEmpty {
            arrived += read()
            try queue.write(to: writer.rawValue)
        }
        while arrived.count <= before.count + large.count { arrived += read() }
        #expect(arrived == before + large + [7])
    }

    @Test func `a queue that never gets empty loses nothing and keeps only what waits`() throws {
        var queue = OutputQueue()
        var sent: [UInt8] = []
        var arrived: [UInt8] = []
        var message = (0..<400_000).map { UInt8(truncatingIfNeeded: $0 >> 7 ^ $0) }
        for round in 0..<UInt8(20) {
            message[0] = round
            sent += message
            queue.append(lending: message[...])
            while queue.bytes > 300_000 {
                try queue.write(to: writer.rawValue)
                arrived += read()
            }
            #expect(!queue.isEmpty)
            #expect(queue.buffered < 2_000_000)
        }
        while arrived.count < sent.count {
            try queue.write(to: writer.rawValue)
            arrived += read()
        }
        #expect(arrived == sent)
    }

    @Test(arguments: sizes) func `a content follows its header, and its descriptors follow it`(size: Int) throws {
        var queue = OutputQueue()
        let header = MessageHeader(program: 1, version: 2, procedure: 3, type: .callWithDescriptors, serial: 4)
        let length = MessageHeader.size + 4 + size
        queue.append(header, lending: [UInt8](repeating: 8, count: size)[...], descriptors: [reader])
        queue.append(lending: [UInt8](repeating: 5, count: size)[...])
        #expect(queue.bytes == length + size)
        try queue.write(to: writer.rawValue)
        #expect(queue.isEmpty)
        let arrived = read(length)
        #expect(Int32(wire: arrived[...]) == Int32(length))
        #expect(arrived.suffix(size + 4) == [0, 0, 0, 1] + [UInt8](repeating: 8, count: size))
        #expect(read() + read() == [0] + [UInt8](repeating: 5, count: size))
    }

    @Test func `a closed peer is an error`() throws {
        var queue = OutputQueue()
        shutdown(reader.rawValue, Int32(SHUT_RDWR))
        queue.append(lending: [1])
        #expect(throws: VirtError.self) { try queue.write(to: writer.rawValue) }
    }
}
