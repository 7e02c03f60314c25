import Testing
import VirtCore
import VirtWire

/// The reader and the writer by themselves.
struct XDRTests {
    @Test func numbersAreBigEndianWords() throws {
        var writer = XDRWriter()
        writer.int32(-2)
        writer.uint64(0x0102_0304_0506_0708)
        writer.double(1.5)
        writer.int8(-1)
        writer.uint16(0xABCD)
        writer.bool(true)
        let expected: [UInt8] = [
            0xFF, 0xFF, 0xFF, 0xFE,  // -2
            1, 2, 3, 4, 5, 6, 7, 8,  // hyper
            0x3F, 0xF8, 0, 0, 0, 0, 0, 0,  // 1.5
            0xFF, 0xFF, 0xFF, 0xFF,  // -1 as char
            0, 0, 0xAB, 0xCD,  // short
            0, 0, 0, 1,  // true
        ]
        #expect(writer.bytes == expected)
        var reader = XDRReader(expected)
        #expect(try reader.int32() == -2)
        #expect(try reader.uint64() == 0x0102_0304_0506_0708)
        #expect(try reader.double() == 1.5)
        #expect(try reader.int8() == -1)
        #expect(try reader.uint16() == 0xABCD)
        #expect(try reader.bool())
        #expect(reader.remaining == 0)
    }

    @Test(arguments: [("", 4), ("a", 8), ("abcd", 8), ("abcde", 12), ("äöü", 12)])
    func textIsPaddedToWords(_ text: String, _ size: Int) throws {
        var writer = XDRWriter()
        writer.string(text, max: 100)
        #expect(writer.bytes.count == size)
        var reader = XDRReader(writer.bytes)
        #expect(try reader.string(max: 100) == text)
    }

    @Test(
        arguments: [
            [0, 0, 0, 2, 0xC3, 0x28, 0, 0],  // no UTF-8
            [0, 0, 0, 3, 0xED, 0xA0, 0x80, 0],  // half of a surrogate pair
            [0, 0, 0, 3, 0x61, 0, 0x62, 0],  // NUL inside
            [0, 0, 0, 1, 0x61, 0, 0],  // padding cut off
            [0, 0, 0, 9, 0x61, 0x61, 0x61, 0x61, 0x61, 0x61, 0x61, 0x61, 0x61, 0, 0, 0],  // too long
            [0xFF, 0xFF, 0xFF, 0xFF],
            [0xFF, 0xFF, 0xFF, 0xFD, 0, 0, 0, 0],
            [],
        ] as [[UInt8]])
    func wrongTextIsRefused(_ bytes: [UInt8]) {
        var reader = XDRReader(bytes)
        #expect(throws: XDRReader.failure) { try reader.string(max: 8) }
    }

    @Test func aFlagThatIsNeitherZeroNorOneIsRefused() {
        var reader = XDRReader([0, 0, 0, 2])
        #expect(throws: XDRReader.failure) { try reader.bool() }
    }

    @Test func aSliceIsReadFromItsOwnStart() throws {
        let bytes: [UInt8] = [9, 9, 9, 0, 0, 0, 7, 0, 0, 0, 1, 0x78, 0, 0, 0, 5, 9]
        var reader = XDRReader(bytes[3..<16])
        #expect(try reader.uint32() == 7)
        #expect(try reader.string(max: 4) == "x")
        #expect(Array(reader.rest()) == [5])
        #expect(reader.remaining == 0)
    }

    @Test func charactersTakeAWordEach() throws {
        let reply = RemoteNodeGetInfoRet(
            model: Array("x86_64".utf8).map { Int8(bitPattern: $0) }, memory: 1, cpus: 2, mhz: 3, nodes: 1, sockets: 1,
            cores: 2, threads: 1)
        #expect(try reply.encoded().count == 160)
    }

    @Test func tooManyItemsAreAnErrorAndNoFrame() {
        let names = RemoteConnectListDefinedDomainsRet(names: Array(repeating: "a", count: 16385))
        let header = MessageHeader(RemoteProgram.ConnectListDefinedDomains.descriptor, type: .reply, serial: 1)
        let error = #expect(throws: VirtError.self) { try XDRWriter.frame(header, names) }
        #expect(error?.code == .rpc)
        #expect(error?.domain == .rpc)
        #expect(error?.str2 == "Too many names '16385' for limit '16384'")
    }

    @Test func aMessageOverTheLimitIsAnErrorAndNoFrame() {
        let text = String(repeating: "x", count: 4_000_000)
        let header = MessageHeader(RemoteProgram.ConnectListDefinedDomains.descriptor, type: .reply, serial: 1)
        let names = RemoteConnectListDefinedDomainsRet(names: Array(repeating: text, count: 9))
        #expect(throws: VirtError(.rpc, .rpc, "Unable to encode message payload")) {
            try XDRWriter.frame(header, names)
        }
    }

    @Test(arguments: ["a\0b", String(repeating: "x", count: 4_194_305)])
    func textThatCannotTravelIsAnErrorAndNoFrame(_ text: String) {
        let arguments = RemoteConnectOpenArgs(name: text, flags: 0)
        #expect(throws: VirtError.self) { try arguments.encoded() }
    }

    @Test func fixedSizesAreChecked() {
        var writer = XDRWriter()
        writer.int8s([1, 2, 3], count: 2)
        #expect(writer.failure != nil)
        var other = XDRWriter()
        other.opaque([1], count: 16)
        #expect(other.failure != nil)
    }
}
