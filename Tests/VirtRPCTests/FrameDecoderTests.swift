import Glibc
import Testing
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

@Suite struct FrameDecoderTests {
    /// A message of the remote program with so many payload bytes.
    private func message(_ payload: [UInt8], serial: UInt32 = 7) -> [UInt8] {
        XDRWriter.frame(
            MessageHeader(program: RemoteProgram.number, version: 1, procedure: 1, type: .call, serial: serial),
            data: payload)
    }

    private func call(descriptors: UInt32, payload: [UInt8] = []) throws -> [UInt8] {
        let header = MessageHeader(
            program: RemoteProgram.number, version: 1, procedure: 1, type: .callWithDescriptors, serial: 7)
        return try XDRWriter.frame(header, descriptors: Int(descriptors)) { $0.raw(payload) }
    }

    private func feed(
        _ decoder: inout FrameDecoder, _ bytes: some Collection<UInt8>, _ descriptors: [DescriptorBox] = []
    ) throws {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = decoder.withFreeSpace { space in
                let count = min(space.count, rest.count)
                space.copyBytes(from: rest.prefix(count))
                return count
            }
            rest = rest.dropFirst(count)
            try decoder.received(count, descriptors: rest.isEmpty ? descriptors : [])
        }
    }

    private func descriptor() -> DescriptorBox { DescriptorBox(OwnedDescriptor(open("/dev/null", O_RDONLY))) }

    @Test func `a message that drips in byte by byte comes out whole and once`() throws {
        var decoder = FrameDecoder()
        let bytes = message(Array(1...40))
        for byte in bytes.dropLast() {
            try feed(&decoder, [byte])
            #expect(try decoder.next() == nil)
        }
        try feed(&decoder, [bytes[bytes.count - 1]])
        let frame = try #require(try decoder.next())
        #expect(Array(frame.payload) == Array(1...40))
        #expect(frame.header.serial == 7)
        #expect(try decoder.next() == nil)
    }

    @Test func `messages read together come out in order`() throws {
        var decoder = FrameDecoder()
        try feed(&decoder, (1...500).flatMap { message([1, 2, 3, 4], serial: $0) })
        for serial in UInt32(1)...500 { #expect(try decoder.next()?.header.serial == serial) }
        #expect(try decoder.next() == nil)
        #expect(decoder.buffered == 0)
    }

    @Test func `a large message is put together over many reads`() throws {
        var decoder = FrameDecoder()
        let payload = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) }
        try feed(&decoder, message(payload) + message([9]))
        #expect(try decoder.next().map { Array($0.payload) } == payload)
        #expect(try decoder.next().map { Array($0.payload) } == [9])
    }

    @Test(arguments: [0, 3, 4, 27, 33_554_437, 0xffff_ffff] as [UInt32])
    func `a length outside the limits ends the connection`(length: UInt32) throws {
        var decoder = FrameDecoder()
        try feed(&decoder, withUnsafeBytes(of: length.bigEndian, Array.init))
        #expect(throws: VirtError.self) { try decoder.next() }
    }

    @Test func `a descriptor behind its carrier byte belongs to the announcing message`() throws {
        var decoder = FrameDecoder()
        let (first, second) = (descriptor(), descriptor())
        try feed(&decoder, message([1]) + (try call(descriptors: 2, payload: [5])))
        try feed(&decoder, [0], [first])
        #expect(try decoder.next()?.payload.count == 1)
        #expect(try decoder.next() == nil)
        try feed(&decoder, [0], [second])
        let frame = try #require(try decoder.next())
        #expect(frame.descriptors.map(\.rawValue) == [first.rawValue, second.rawValue])
        #expect(Array(frame.payload) == [5])
        try feed(&decoder, message([2]))
        #expect(try decoder.next().map { Array($0.payload) } == [2])
    }

    @Test func `descriptors that nobody announced end the connection`() throws {
        var decoder = FrameDecoder()
        try feed(&decoder, message([1, 2, 3, 4]), [descriptor()])
        #expect(throws: VirtError.self) { try decoder.next() }
    }

    @Test func `an announced descriptor that does not come ends the connection`() throws {
        var decoder = FrameDecoder()
        try feed(&decoder, try call(descriptors: 1))
        #expect(try decoder.next() == nil)
        try feed(&decoder, [0])
        #expect(throws: VirtError.self) { try decoder.next() }
    }

    @Test func `more than 32 descriptors are refused`() throws {
        var decoder = FrameDecoder()
        var bytes = try call(descriptors: 1)
        bytes[31] = 33
        try feed(&decoder, bytes)
        #expect(throws: VirtError.self) { try decoder.next() }
    }

    @Test func `a flood of descriptors without a message is refused`() throws {
        var decoder = FrameDecoder()
        #expect(throws: VirtError.self) {
            for _ in 0..<100 { try feed(&decoder, [0], [descriptor()]) }
        }
    }
}
