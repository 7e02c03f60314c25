/// A word, number, text or sign of a description.
struct Token: Equatable {
    enum Kind: Equatable {
        case word(String)
        case number(Int)
        case text(String)
        case sign(String)
        case end
    }

    let kind: Kind
    let line: Int
}

/// Cuts a description into tokens; comments are left out.
struct Lexer {
    private let file: String
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1

    private init(_ source: String, file: String) {
        self.file = file
        bytes = Array(source.utf8)
    }

    static func tokens(of source: String, file: String) throws(GenerationError) -> [Token] {
        var lexer = Lexer(source, file: file)
        var tokens: [Token] = []
        repeat {
            tokens.append(try lexer.next())
        } while tokens.last?.kind != .end
        return tokens
    }

    private mutating func next() throws(GenerationError) -> Token {
        try skipSpace()
        guard let byte = peek() else { return Token(kind: .end, line: line) }
        let start = line
        let kind: Token.Kind
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
            kind = .word(takeWord())
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            kind = .number(try takeNumber())
        case UInt8(ascii: "\""):
            kind = .text(try takeText())
        default:
            kind = .sign(takeSign())
        }
        return Token(kind: kind, line: start)
    }

    private func peek(_ ahead: Int = 0) -> UInt8? {
        index + ahead < bytes.count ? bytes[index + ahead] : nil
    }

    private mutating func advance() {
        if peek() == UInt8(ascii: "\n") { line += 1 }
        index += 1
    }

    private mutating func skipSpace() throws(GenerationError) {
        while let byte = peek() {
            if byte == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "*") {
                try skipComment()
            } else if byte == 0x20 || (0x09...0x0D).contains(byte) {
                advance()
            } else {
                return
            }
        }
    }

    private mutating func skipComment() throws(GenerationError) {
        let start = line
        index += 2
        while peek() != UInt8(ascii: "*") || peek(1) != UInt8(ascii: "/") {
            guard peek() != nil else { throw GenerationError(file: file, line: start, text: "comment without end") }
            advance()
        }
        index += 2
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private mutating func takeWord() -> String {
        let start = index
        while let byte = peek(), Lexer.isWord(byte) { index += 1 }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func takeNumber() throws(GenerationError) -> Int {
        let negative = peek() == UInt8(ascii: "-")
        if negative { index += 1 }
        let word = takeWord()
        let value = word.hasPrefix("0x") ? Int(word.dropFirst(2), radix: 16) : Int(word)
        guard let value else { throw GenerationError(file: file, line: line, text: "'\(word)' is no number") }
        return negative ? -value : value
    }

    private mutating func takeText() throws(GenerationError) -> String {
        index += 1
        let start = index
        while let byte = peek(), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\n") { index += 1 }
        guard peek() == UInt8(ascii: "\"") else {
            throw GenerationError(file: file, line: line, text: "text without end")
        }
        defer { index += 1 }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func takeSign() -> String {
        if peek() == UInt8(ascii: "="), peek(1) == UInt8(ascii: "=") {
            index += 2
            return "=="
        }
        defer { index += 1 }
        return String(decoding: bytes[index..<(index + 1)], as: UTF8.self)
    }
}
