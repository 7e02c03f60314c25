/// Reads one description: XDR language with the program block that Protocols/README.md explains.
struct Parser {
    let file: String
    private let tokens: [Token]
    private var index = 0
    var constants: [String: Int] = [:]
    var result: Description

    init(_ source: String, file: String) throws(GenerationError) {
        self.file = file
        tokens = try Lexer.tokens(of: source, file: file)
        result = Description(file: file)
    }

    static func parse(_ source: String, file: String) throws(GenerationError) -> Description {
        var parser = try Parser(source, file: file)
        while parser.kind != .end { try parser.parseItem() }
        return parser.result
    }

    private mutating func parseItem() throws(GenerationError) {
        switch try word() {
        case "include": result.includes.append(try text())
        case "const":
            let name = try word()
            try expect("=")
            let value = try number()
            constants[name] = value
            result.constants.append((name, value))
        case "typedef":
            let declaration = try parseDeclaration()
            result.typedefs[declaration.name] = declaration
            return
        case "represent":
            let type = try word()
            guard try word() == "as" else { throw error("expected 'as'") }
            result.represented[type] = try word()
        case "enum": try parseEnumeration()
        case "struct": try parseStructure()
        case "union": try parseUnion()
        case "program":
            try parseProgram()
            return
        case let other: throw error("'\(other)' starts nothing that is known")
        }
        try expect(";")
    }

    private mutating func parseEnumeration() throws(GenerationError) {
        let name = try word()
        var members: [(name: String, value: Int)] = []
        try expect("{")
        repeat {
            let member = try word()
            try expect("=")
            let value = try number()
            constants[member] = value
            members.append((member, value))
        } while take(",")
        try expect("}")
        result.enumerations.append(EnumerationSyntax(name: name, members: members))
    }

    private mutating func parseStructure() throws(GenerationError) {
        let line = self.line
        let name = try word()
        var fields: [Declaration] = []
        try expect("{")
        while !take("}") { fields.append(try parseDeclaration()) }
        result.structures.append(StructureSyntax(name: name, fields: fields, line: line))
    }

    private mutating func parseUnion() throws(GenerationError) {
        result.unions.insert(try word())
        guard try word() == "switch" else { throw error("expected 'switch'") }
        try expect("(")
        _ = try parseType()
        _ = try word()
        try expect(")")
        try expect("{")
        while !take("}") {
            guard try word() == "case" else { throw error("expected 'case'") }
            _ = try number()
            try expect(":")
            _ = try parseDeclaration()
        }
    }

    private mutating func parseType() throws(GenerationError) -> String {
        let first = try word()
        return first == "unsigned" ? "unsigned \(try word())" : first
    }

    private mutating func parseDeclaration() throws(GenerationError) -> Declaration {
        let line = self.line
        let type = try parseType()
        let isOptional = take("*")
        let name = try word()
        var shape: Declaration.Shape = isOptional ? .optional : .plain
        if take("[") {
            shape = .fixed(try number())
            try expect("]")
        } else if take("<") {
            shape = .variable(try number())
            try expect(">")
        }
        try expect(";")
        return Declaration(type: type, name: name, shape: shape, line: line)
    }
}

extension Parser {
    var kind: Token.Kind { tokens[index].kind }
    var line: Int { tokens[index].line }

    func error(_ text: String) -> GenerationError {
        GenerationError(file: file, line: line, text: text)
    }

    private mutating func advance() {
        if index + 1 < tokens.count { index += 1 }
    }

    mutating func word() throws(GenerationError) -> String {
        guard case .word(let word) = kind else { throw error("expected a word") }
        advance()
        return word
    }

    /// Takes the word if it is this one.
    mutating func take(word wanted: String) -> Bool {
        guard kind == .word(wanted) else { return false }
        advance()
        return true
    }

    /// Takes the sign if it is this one.
    mutating func take(_ sign: String) -> Bool {
        guard kind == .sign(sign) else { return false }
        advance()
        return true
    }

    mutating func expect(_ sign: String) throws(GenerationError) {
        guard take(sign) else { throw error("expected '\(sign)'") }
    }

    mutating func text() throws(GenerationError) -> String {
        guard case .text(let text) = kind else { throw error("expected a quoted text") }
        advance()
        return text
    }

    /// A number or the name of a constant.
    mutating func number() throws(GenerationError) -> Int {
        switch kind {
        case .number(let value):
            advance()
            return value
        case .word(let name):
            guard let value = constants[name] else { throw error("constant '\(name)' is not known") }
            advance()
            return value
        case .text, .sign, .end: throw error("expected a number")
        }
    }
}
