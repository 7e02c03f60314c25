/// The parser of libvirt's `.conf` syntax; it fails with VIR_ERR_CONF_SYNTAX and the line.
struct ConfigParser {
    /// libvirt's bound on the size of a configuration file.
    static let maximumSize = 10 * 1024 * 1024
    /// Lists in lists: nobody writes them, but libvirt parses them.
    private static let maximumDepth = 16

    private let bytes: [UInt8]
    private let name: String
    private var position = 0
    private var line = 1

    init(bytes: [UInt8], name: String) {
        self.bytes = bytes
        self.name = name
    }

    mutating func parse() throws(VirtError) -> [ConfigFile.Entry] {
        guard bytes.count <= Self.maximumSize else { throw syntaxError("file is too large") }
        var entries: [ConfigFile.Entry] = []
        while true {
            skipBlanksAndLineEnds()
            guard let byte = current else { return entries }
            if byte == UInt8(ascii: "#") {
                skipComment()
            } else {
                entries.append(try statement())
            }
            try separator()
        }
    }

    private mutating func statement() throws(VirtError) -> ConfigFile.Entry {
        let key = try settingName()
        skipBlanks()
        guard current == UInt8(ascii: "=") else { throw syntaxError("expecting an assignment") }
        position += 1
        let value = try value(depth: 0)
        let entry = ConfigFile.Entry(name: key, value: value, line: line)
        skipBlanks()
        skipComment()
        return entry
    }

    private mutating func settingName() throws(VirtError) -> String {
        guard let first = current, isLetter(first) else { throw syntaxError("expecting a name") }
        let start = position
        while let byte = current, isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_") { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func value(depth: Int) throws(VirtError) -> ConfigFile.Value {
        skipBlanks()
        guard let byte = current else { throw syntaxError("expecting a value") }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            return .string(try string())
        case UInt8(ascii: "["):
            guard depth < Self.maximumDepth else { throw syntaxError("lists are nested too deeply") }
            return .list(try list(depth: depth))
        case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return try number()
        default:
            throw syntaxError("expecting a value")
        }
    }

    private mutating func list(depth: Int) throws(VirtError) -> [ConfigFile.Value] {
        var values: [ConfigFile.Value] = []
        position += 1
        skipBlanksAndLineEnds()
        while let byte = current, byte != UInt8(ascii: "]") {
            if !values.isEmpty {
                guard byte == UInt8(ascii: ",") else { throw syntaxError("expecting a separator in list") }
                position += 1
                skipBlanksAndLineEnds()
                if current == UInt8(ascii: "]") { break }
            }
            values.append(try value(depth: depth + 1))
            skipBlanksAndLineEnds()
        }
        guard current != nil else { throw syntaxError("list is not closed with ]") }
        position += 1
        return values
    }

    private mutating func number() throws(VirtError) -> ConfigFile.Value {
        let isNegative = current == UInt8(ascii: "-")
        if isNegative || current == UInt8(ascii: "+") { position += 1 }
        guard let first = current, isDigit(first) else { throw syntaxError("unterminated number") }
        var magnitude: UInt64 = 0
        while let byte = current, isDigit(byte) {
            let (shifted, overflow1) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = shifted.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            guard !overflow1, !overflow2 else { throw syntaxError("number is too large") }
            magnitude = sum
            position += 1
        }
        guard isNegative else { return .number(magnitude) }
        guard magnitude <= UInt64(Int64.max) + 1 else { throw syntaxError("number is too large") }
        return .negative(Int64(truncatingIfNeeded: 0 &- magnitude))
    }

    private mutating func string() throws(VirtError) -> String {
        if bytes[position...].starts(with: Self.tripleQuote) { return try longString() }
        let quote = bytes[position]
        position += 1
        let start = position
        while let byte = current, byte != quote, !isLineEnd(byte) { position += 1 }
        guard current == quote else { throw syntaxError("unterminated string") }
        defer { position += 1 }
        return try text(start..<position)
    }

    private mutating func longString() throws(VirtError) -> String {
        position += 3
        let start = position
        while !bytes[position...].starts(with: Self.tripleQuote) {
            guard let byte = current else { throw syntaxError("unterminated string") }
            if byte == UInt8(ascii: "\n") { line += 1 }
            position += 1
        }
        defer { position += 3 }
        return try text(start..<position)
    }

    private static let tripleQuote = [UInt8](repeating: UInt8(ascii: "\""), count: 3)

    private func text(_ range: Range<Int>) throws(VirtError) -> String {
        let slice = bytes[range]
        guard !slice.contains(0), let text = String(validating: slice, as: UTF8.self) else {
            throw syntaxError("string is not valid UTF-8")
        }
        return text
    }

    private mutating func separator() throws(VirtError) {
        skipBlanks()
        guard let byte = current else { return }
        guard isLineEnd(byte) || byte == UInt8(ascii: ";") else { throw syntaxError("expecting a separator") }
        if byte == UInt8(ascii: ";") { position += 1 }
        skipBlanksAndLineEnds()
    }
}

extension ConfigParser {
    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte = current, byte == 0x20 || byte == 0x09 { position += 1 }
    }

    private mutating func skipBlanksAndLineEnds() {
        while let byte = current, byte == 0x20 || byte == 0x09 || isLineEnd(byte) {
            if byte == UInt8(ascii: "\n") { line += 1 }
            position += 1
        }
    }

    private mutating func skipComment() {
        guard current == UInt8(ascii: "#") else { return }
        while let byte = current, !isLineEnd(byte) { position += 1 }
    }

    private func syntaxError(_ text: String) -> VirtError {
        VirtError(.confSyntax, .conf, "\(name):\(line): \(text)")
    }

    private func isLineEnd(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }

    private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
