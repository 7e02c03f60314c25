extension Parser {
    /// `program NAME { procedures } = NUMBER version NUMBER;`
    mutating func parseProgram() throws(GenerationError) {
        let name = try word()
        var procedures: [ProcedureSyntax] = []
        try expect("{")
        while !take("}") {
            let procedure = try parseProcedure()
            guard procedure.number == procedures.count + 1 else {
                throw error("\(procedure.name) should have number \(procedures.count + 1)")
            }
            procedures.append(procedure)
        }
        try expect("=")
        let number = try number()
        guard try word() == "version" else { throw error("expected 'version'") }
        let version = try self.number()
        try expect(";")
        result.program = ProgramSyntax(name: name, number: number, version: version, procedures: procedures)
    }

    /// `REPLY NAME(ARGUMENTS) = NUMBER clauses;` or `event NAME(CONTENT) = NUMBER;`
    private mutating func parseProcedure() throws(GenerationError) -> ProcedureSyntax {
        let line = self.line
        let isEvent = take(word: "event")
        let reply = isEvent ? nil : try type()
        let name = try word()
        try expect("(")
        let arguments = try type()
        try expect(")")
        try expect("=")
        var procedure = ProcedureSyntax(
            name: name, number: try number(), isEvent: isEvent, arguments: arguments, reply: reply, line: line)
        while !take(";") { try parseClause(&procedure) }
        return procedure
    }

    private mutating func type() throws(GenerationError) -> String? {
        let name = try word()
        return name == "void" ? nil : name
    }

    private mutating func parseClause(_ procedure: inout ProcedureSyntax) throws(GenerationError) {
        switch try word() {
        case "high": procedure.isHighPriority = true
        case "api": procedure.api = try word()
        case "stream":
            let direction = try word()
            guard direction == "read" || direction == "write" else { throw error("expected 'read' or 'write'") }
            procedure.stream = direction
        case "sparse": procedure.sparseFlag = try number()
        case "deny": procedure.denied = try parseCondition()
        case "access": procedure.access.append(try parseAccess())
        case "filter": procedure.filter.append(try parseAccess())
        case let other: throw error("clause '\(other)' is not known")
        }
    }

    private mutating func parseAccess() throws(GenerationError) -> AccessSyntax {
        let object = try word()
        try expect(":")
        return AccessSyntax(object: object, permission: try word(), condition: try parseCondition())
    }

    /// `if FLAG | FLAG`, `unless FLAG | FLAG`, `if FIELD == VALUE` or nothing.
    private mutating func parseCondition() throws(GenerationError) -> RuleCondition {
        if take(word: "unless") { return .noFlags(try parseFlags()) }
        guard take(word: "if") else { return .always }
        if case .word(let name) = kind, constants[name] == nil {
            let field = try word()
            try expect("==")
            return .equals(field: field, try number())
        }
        return .flags(try parseFlags())
    }

    private mutating func parseFlags() throws(GenerationError) -> Int {
        var flags = try number()
        while take("|") { flags |= try number() }
        return flags
    }
}
