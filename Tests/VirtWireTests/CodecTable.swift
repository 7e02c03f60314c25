import VirtCore
import VirtWire

/// Decoding and encoding of one type, whichever it is.
struct Codec: Sendable {
    /// What decoding and encoding again made of a payload.
    struct Result {
        /// Bytes that decoding took.
        let consumed: Int
        /// The value's bytes, encoded.
        let encoded: [UInt8]
        /// The encoded bytes, decoded and encoded once more.
        let again: [UInt8]
        /// The value decoded from `encoded` equals the first one.
        let isEqual: Bool
    }

    let run: @Sendable (ArraySlice<UInt8>) throws(VirtError) -> Result
    /// The decoded value's fields, a line for each.
    let describe: @Sendable (ArraySlice<UInt8>) throws(VirtError) -> [String]

    init<T: XDRCodable>(_: T.Type) {
        run = { (payload: ArraySlice<UInt8>) throws(VirtError) -> Result in
            var reader = XDRReader(payload)
            let value = try T(from: &reader)
            let encoded = try value.encoded()
            let second = try T(decoding: encoded[...])
            return Result(
                consumed: reader.consumed, encoded: encoded, again: try second.encoded(), isEqual: value == second)
        }
        describe = { (payload: ArraySlice<UInt8>) throws(VirtError) -> [String] in
            FieldPrinter.lines(of: try T(decoding: payload))
        }
    }
}

/// The codecs of a program's procedures by number.
struct CodecTable: Sendable {
    let program: ProgramDescription
    private(set) var arguments: [Int32: Codec] = [:]
    private(set) var replies: [Int32: Codec] = [:]
    private(set) var events: [Int32: Codec] = [:]

    init(_ program: ProgramDescription) { self.program = program }

    mutating func call<P: Procedure>(_: P.Type) {
        arguments[P.descriptor.number] = Codec(P.Arguments.self)
        replies[P.descriptor.number] = Codec(P.Reply.self)
    }

    mutating func event<E: EventMessage>(_: E.Type) {
        events[E.descriptor.number] = Codec(E.Message.self)
    }

    static let all: [CodecTable] = [.remote, .qemu, .admin, .log, .lock, .keepalive, .trunk]
}
