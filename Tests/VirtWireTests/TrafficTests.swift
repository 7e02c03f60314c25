import Testing
import VirtCore
import VirtWire

/// Messages that libvirt's own clients and daemons exchanged, byte for byte.
struct TrafficTests {
    @Test func thereAreManyMessages() {
        #expect(Fixture.all.count >= 250)
        #expect(Set(Fixture.all.map(\.name)).count == Fixture.all.count)
    }

    @Test func theHeaderNamesAProcedureThatIsKnown() throws {
        for fixture in Fixture.all { try checkName(fixture) }
    }

    @Test func theHeaderIsWrittenAsItWasRead() throws {
        for fixture in Fixture.all { try checkHeader(fixture) }
    }

    @Test func thePayloadIsReadFieldByFieldAndWrittenBack() throws {
        for fixture in Fixture.all { try checkPayload(fixture) }
    }

    private func checkName(_ fixture: Fixture) throws {
        let header = try header(of: fixture)
        let table = try table(of: header)
        let descriptor = try #require(table.program.procedure(header.procedure))
        #expect(fixture.name.hasPrefix("\(table.program.name) \(descriptor.name) "), "\(fixture.name)")
        #expect(descriptor.isEvent == (header.type == .message), "\(fixture.name)")
        #expect(Int(try XDRReader.word(fixture.bytes)) == fixture.bytes.count, "\(fixture.name)")
    }

    private func checkHeader(_ fixture: Fixture) throws {
        let header = try header(of: fixture)
        let payload = fixture.bytes[MessageHeader.size...]
        let isCounted = header.type == .callWithDescriptors || header.type == .replyWithDescriptors
        let count = isCounted ? Int(try XDRReader.word(Array(payload))) : 0
        let frame = try XDRWriter.frame(header, descriptors: count) { writer in
            writer.raw(payload.dropFirst(isCounted ? 4 : 0))
        }
        #expect(frame == fixture.bytes, "\(fixture.name)")
    }

    private func checkPayload(_ fixture: Fixture) throws {
        let header = try header(of: fixture)
        guard let codec = try codec(for: header, in: table(of: header)) else {
            return try checkStreamData(fixture, header)
        }
        let start = MessageHeader.size + (header.type == .replyWithDescriptors ? 4 : 0)
        let payload = fixture.bytes[start...]
        let result = try codec.run(payload)
        #expect(result.consumed == payload.count, "\(fixture.name)")
        #expect(result.encoded == Array(payload), "\(fixture.name)")
        #expect(result.isEqual, "\(fixture.name)")
        #expect(try codec.describe(payload) == fixture.fields, "\(fixture.name)")
    }

    private func checkStreamData(_ fixture: Fixture, _ header: MessageHeader) throws {
        var reader = XDRReader(fixture.bytes[MessageHeader.size...])
        #expect(header.type == .stream, "\(fixture.name)")
        let data = reader.rest()
        #expect(XDRWriter.frame(header, data: data) == fixture.bytes, "\(fixture.name)")
    }

    private func header(of fixture: Fixture) throws -> MessageHeader {
        try #require(fixture.bytes.count >= MessageHeader.size)
        return try MessageHeader(decoding: fixture.bytes[4..<MessageHeader.size])
    }

    private func table(of header: MessageHeader) throws -> CodecTable {
        try #require(CodecTable.all.first { $0.program.number == header.program })
    }

    private func codec(for header: MessageHeader, in table: CodecTable) throws -> Codec? {
        if header.status == .error { return Codec(WireError.self) }
        let codecs: [Int32: Codec]
        switch header.type {
        case .call, .callWithDescriptors: codecs = table.arguments
        case .reply, .replyWithDescriptors: codecs = table.replies
        case .message: codecs = table.events
        case .streamHole: return Codec(StreamHole.self)
        default: return nil
        }
        let codec: Codec = try #require(codecs[header.procedure])
        return codec
    }
}

extension XDRReader {
    /// The first word of some bytes.
    static func word(_ bytes: [UInt8]) throws(VirtError) -> UInt32 {
        var reader = XDRReader(bytes)
        return try reader.uint32()
    }
}
