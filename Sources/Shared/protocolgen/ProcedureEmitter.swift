/// Writes the type of a procedure, nested in its program's.
struct ProcedureEmitter {
    let program: ProgramSyntax
    let resolver: Resolver
    let file: String

    private static let objects: [String: String] = [
        "connect": "connect", "domain": "domain", "interface": "interface", "network": "network",
        "network_port": "networkPort", "node_device": "nodeDevice", "nwfilter": "nwfilter",
        "nwfilter_binding": "nwfilterBinding", "secret": "secret", "storage_pool": "storagePool",
        "storage_vol": "storageVolume",
    ]

    func emit(_ procedure: ProcedureSyntax, into output: inout SourceFile) throws(GenerationError) {
        let kind = procedure.isEvent ? "EventMessage" : "Procedure"
        let origin = procedure.api.isEmpty ? procedure.name : "\(procedure.name), \(procedure.api)"
        output.line()
        output.line("    /// \(procedure.number): \(origin)")
        output.line("    package enum \(Naming.type(procedure.name)): \(kind) {")
        let arguments = try swiftName(procedure.arguments, procedure)
        if procedure.isEvent {
            output.line("        package typealias Message = \(arguments)")
        } else {
            output.line("        package typealias Arguments = \(arguments)")
            output.line("        package typealias Reply = \(try swiftName(procedure.reply, procedure))")
        }
        let items = try descriptor(procedure)
        let start = "package static let descriptor = ProcedureDescriptor("
        output.lines(SourceFile.wrapped(start, items, ")", indent: 8))
        try emitFlags(procedure, into: &output)
        output.line("    }")
    }

    private func swiftName(_ type: String?, _ procedure: ProcedureSyntax) throws(GenerationError) -> String {
        guard let type else { return "XDRVoid" }
        guard resolver.structure(type) != nil, !resolver.isRepresented(type) else {
            throw error(procedure, "struct '\(type)' is not known")
        }
        return Naming.type(type)
    }

    private func descriptor(_ procedure: ProcedureSyntax) throws(GenerationError) -> [String] {
        var items = ["program: number", "version: version", "number: \(procedure.number)"]
        items.append("name: \"\(procedure.name)\"")
        if !procedure.api.isEmpty { items.append("api: \"\(procedure.api)\"") }
        if procedure.isHighPriority { items.append("priority: .high") }
        if let stream = procedure.stream { items.append("stream: .\(stream)") }
        if procedure.sparseFlag != 0 { items.append("sparseFlag: \(procedure.sparseFlag)") }
        if let denied = procedure.denied { items.append("readOnly: \(try readOnlyRule(denied, procedure))") }
        items += try rules("access", procedure.access, procedure)
        items += try rules("accessFilter", procedure.filter, procedure)
        if procedure.isEvent { items.append("isEvent: true") }
        return items
    }

    private func readOnlyRule(
        _ condition: RuleCondition, _ procedure: ProcedureSyntax
    ) throws(GenerationError) -> String {
        switch condition {
        case .always: return ".denied"
        case .flags(let mask): return ".flags(\(mask))"
        case .equals(_, let value): return ".value(\(value))"
        case .noFlags: throw error(procedure, "a call cannot be denied for missing flags")
        }
    }

    /// An argument with an array of rules, cut between the rules so that it can be wrapped.
    private func rules(
        _ label: String, _ rules: [AccessSyntax], _ procedure: ProcedureSyntax
    ) throws(GenerationError) -> [String] {
        guard !rules.isEmpty else { return [] }
        var texts: [String] = []
        for rule in rules {
            guard let object = ProcedureEmitter.objects[rule.object] else {
                throw error(procedure, "no object '\(rule.object)' is known")
            }
            let start = ".init(.\(object), \"\(rule.permission)\""
            switch rule.condition {
            case .always: texts.append("\(start))")
            case .flags(let mask): texts.append("\(start), .flags(\(mask)))")
            case .noFlags(let mask): texts.append("\(start), .noFlags(\(mask)))")
            case .equals(_, let value): texts.append("\(start), .value(\(value)))")
            }
        }
        texts[0] = "\(label): [\(texts[0])"
        texts[texts.count - 1] += "]"
        return texts
    }

    /// The function that takes the word on which rules depend out of the arguments.
    private func emitFlags(_ procedure: ProcedureSyntax, into output: inout SourceFile) throws(GenerationError) {
        var fields: Set<String> = procedure.sparseFlag == 0 ? [] : ["flags"]
        for condition in [procedure.denied ?? .always] + (procedure.access + procedure.filter).map(\.condition) {
            switch condition {
            case .always: break
            case .flags, .noFlags: fields.insert("flags")
            case .equals(let field, _): fields.insert(field)
            }
        }
        guard let field = fields.first else { return }
        guard fields.count == 1 else { throw error(procedure, "rules depend on more than one field") }
        let declared = procedure.arguments.flatMap { resolver.structure($0) }?.fields.first { $0.name == field }
        guard let declared else { throw error(procedure, "the arguments have no '\(field)'") }
        let value = "arguments.\(Naming.field(field))"
        let word: String
        switch declared.type {
        case "unsigned int": word = value
        case "int": word = "UInt32(bitPattern: \(value))"
        default: throw error(procedure, "'\(field)' is no integer of 32 bits")
        }
        output.line()
        output.line("        package static func flags(of arguments: Arguments) -> UInt32 { \(word) }")
    }

    private func error(_ procedure: ProcedureSyntax, _ text: String) -> GenerationError {
        GenerationError(file: file, line: procedure.line, text: "\(procedure.name): \(text)")
    }
}
