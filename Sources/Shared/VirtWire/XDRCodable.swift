package import VirtCore

/// A type of the protocol: generated from the descriptions in `Protocols`.
package protocol XDRCodable: Sendable, Equatable {
    init(from reader: inout XDRReader) throws(VirtError)
    func encode(into writer: inout XDRWriter)
}

/// The arguments or the reply of a procedure that has none.
package struct XDRVoid: XDRCodable {
    package init() {}
    package init(from reader: inout XDRReader) throws(VirtError) {}
    package func encode(into writer: inout XDRWriter) {}
}

extension XDRCodable {
    /// Reads a value from the start of a payload; bytes behind it are ignored, as C libvirt does.
    package init(decoding payload: ArraySlice<UInt8>) throws(VirtError) {
        var reader = XDRReader(payload)
        try self.init(from: &reader)
    }

    /// The value's bytes without a header.
    package func encoded() throws(VirtError) -> [UInt8] {
        var writer = XDRWriter()
        encode(into: &writer)
        if let failure = writer.failure { throw failure }
        return writer.takeBytes()
    }
}

extension TypedParameter: XDRCodable {
    /// Longest name, and longest text of a value.
    private static let longestText = 4_194_304

    package init(from reader: inout XDRReader) throws(VirtError) {
        let field = try reader.string(max: TypedParameter.longestText)
        switch try reader.int32() {
        case 1: self.init(field, .int(try reader.int32()))
        case 2: self.init(field, .uint(try reader.uint32()))
        case 3: self.init(field, .llong(try reader.int64()))
        case 4: self.init(field, .ullong(try reader.uint64()))
        case 5: self.init(field, .double(try reader.double()))
        case 6: self.init(field, .boolean(try reader.int32() != 0))
        case 7: self.init(field, .string(try reader.string(max: TypedParameter.longestText)))
        default: throw XDRReader.failure
        }
    }

    package func encode(into writer: inout XDRWriter) {
        writer.string(field, max: TypedParameter.longestText)
        writer.int32(value.typeNumber)
        switch value {
        case .int(let value): writer.int32(value)
        case .uint(let value): writer.uint32(value)
        case .llong(let value): writer.int64(value)
        case .ullong(let value): writer.uint64(value)
        case .double(let value): writer.double(value)
        case .boolean(let value): writer.int32(value ? 1 : 0)
        case .string(let value): writer.string(value, max: TypedParameter.longestText)
        }
    }
}
