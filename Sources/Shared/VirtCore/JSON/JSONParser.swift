/// Reads one JSON text (RFC 8259) out of bytes that nobody vouches for: strict UTF-8, bounded depth, no recursion
/// beyond it.
///
/// An own reader because QMP needs what decoding through `Codable` loses: the order of members (a monitor command's
/// reply is handed to the client as it came) and integers of 64 bits; it is also the only JSON that the daemon reads,
/// and needs no Foundation in memory for it.
@safe package struct JSONParser: ~Copyable {
    /// How deeply arrays and objects may be nested.
    package static let maximumDepth = 300

    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0

    private init(_ bytes: UnsafeBufferPointer<UInt8>) {
        unsafe self.bytes = unsafe bytes
    }

    /// The value of a whole text; anything but white space after it is an error.
    package static func parse(_ bytes: some Sequence<UInt8>) throws(VirtError) -> JSONValue {
        let direct: Result<JSONValue, VirtError>? = bytes.withContiguousStorageIfAvailable(unsafe parse(buffer:))
        return try unsafe (direct ?? Array(bytes).withUnsafeBufferPointer(unsafe parse(buffer:))).get()
    }

    package static func parse(_ text: String) throws(VirtError) -> JSONValue { try parse(text.utf8) }

    private static func parse(buffer: UnsafeBufferPointer<UInt8>) -> Result<JSONValue, VirtError> {
        Result { () throws(VirtError) in
            var parser = unsafe JSONParser(buffer)
            let value = try parser.value(depth: 0)
            parser.skipSpace()
            guard parser.peek() == nil else { throw parser.failure("trailing data") }
            return value
        }
    }

    private static func failure(_ reason: String) -> VirtError {
        VirtError(.internalError, .none, "cannot parse json: \(reason)")
    }

    private func failure(_ reason: String) -> VirtError {
        Self.failure("\(reason) at byte \(position)")
    }

    private func peek() -> UInt8? { unsafe position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(VirtError) -> JSONValue {
        guard depth < Self.maximumDepth else { throw failure("too deep nesting") }
        skipSpace()
        switch peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(VirtError) -> JSONValue {
        for index in 0..<text.utf8CodeUnitCount where unsafe !take(text.utf8Start[index]) {
            throw failure("unknown word")
        }
        return value
    }

    private mutating func object(depth: Int) throws(VirtError) -> JSONValue {
        position += 1
        var members: [JSONObject.Member] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(JSONObject()) }
        while true {
            skipSpace()
            guard peek() == UInt8(ascii: "\"") else { throw failure("object key expected") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw failure("':' expected") }
            members.append(.init(key, try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "}")) else { throw failure("',' or '}' expected") }
            return .object(JSONObject(members: members))
        }
    }

    private mutating func array(depth: Int) throws(VirtError) -> JSONValue {
        position += 1
        var values: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array([]) }
        while true {
            values.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "]")) else { throw failure("',' or ']' expected") }
            return .array(values)
        }
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = peek(), byte >= 0x30 && byte <= 0x39 { position += 1 }
        return position - start
    }

    private mutating func number() throws(VirtError) -> JSONValue {
        let start = position
        _ = take(UInt8(ascii: "-"))
        let leadingZero = peek() == 0x30
        let whole = digits()
        guard whole > 0, !(leadingZero && whole > 1) else { throw failure("value expected") }
        if take(UInt8(ascii: ".")) {
            guard digits() > 0 else { throw failure("digit expected") }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard digits() > 0 else { throw failure("digit expected") }
        }
        return unsafe .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    /// A string without escapes is taken over in one piece; one with escapes goes through a buffer.
    private mutating func string() throws(VirtError) -> String {
        position += 1
        let start = position
        var unescaped: [UInt8]?
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "\""):
                let end = position
                position += 1
                if let unescaped { return try text(unescaped) }
                return try unsafe text(bytes[start..<end])
            case UInt8(ascii: "\\"):
                var buffer = unsafe unescaped ?? Array(bytes[start..<position])
                position += 1
                try escape(into: &buffer)
                unescaped = buffer
            case 0..<0x20:
                throw failure("control character in a string")
            default:
                unescaped?.append(byte)
                position += 1
            }
        }
        throw failure("unterminated string")
    }

    private func text(_ bytes: some Collection<UInt8>) throws(VirtError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw failure("invalid UTF-8") }
        return text
    }

    private mutating func escape(into buffer: inout [UInt8]) throws(VirtError) {
        guard let byte = peek() else { throw failure("unterminated string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
        case UInt8(ascii: "b"): buffer.append(0x08)
        case UInt8(ascii: "f"): buffer.append(0x0C)
        case UInt8(ascii: "n"): buffer.append(0x0A)
        case UInt8(ascii: "r"): buffer.append(0x0D)
        case UInt8(ascii: "t"): buffer.append(0x09)
        case UInt8(ascii: "u"): buffer.append(contentsOf: String(Character(try unicodeEscape())).utf8)
        default: throw failure("unknown escape")
        }
    }

    /// The four digits after `\u`, and the low half where they are the high half of a pair. A lone half becomes U+FFFD.
    private mutating func unicodeEscape() throws(VirtError) -> Unicode.Scalar {
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        let replacement: Unicode.Scalar = "\u{FFFD}"
        let mark = position
        guard (0xD800..<0xDC00).contains(first), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            position = mark
            return replacement
        }
        let second = try hexadecimal()
        guard (0xDC00..<0xE000).contains(second) else {
            position = mark
            return replacement
        }
        return Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)) ?? replacement
    }

    private mutating func hexadecimal() throws(VirtError) -> UInt32 {
        guard unsafe bytes.count - position >= 4 else { throw failure("unterminated string") }
        var value: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = Character(Unicode.Scalar(unsafe bytes[position + offset])).hexDigitValue else {
                throw failure("bad \\u escape")
            }
            value = value << 4 | UInt32(digit)
        }
        position += 4
        return value
    }
}
