/// Writes the Swift struct of a description's struct.
struct StructureEmitter {
    private struct Field {
        let name: String
        let label: String
        let type: WireType
        let line: Int
    }

    let resolver: Resolver
    let file: String

    func emit(_ structure: StructureSyntax, comment: String, into output: inout SourceFile) throws(GenerationError) {
        var fields: [Field] = []
        for field in structure.fields {
            let type = try resolver.type(of: field)
            fields.append(Field(name: Naming.field(field.name), label: field.name, type: type, line: field.line))
        }
        guard !fields.isEmpty else {
            throw GenerationError(file: file, line: structure.line, text: "'\(structure.name)' has no fields")
        }
        output.line()
        output.line("/// \(comment)")
        output.line("package struct \(Naming.type(structure.name)): XDRCodable {")
        for field in fields { output.line("    package var \(field.name): \(field.type.swiftType)") }
        output.line()
        let parameters = fields.map { "\($0.name): \($0.type.swiftType)" }
        output.lines(SourceFile.wrapped("package init(", parameters, ") {", indent: 4))
        for field in fields { output.line("        self.\(field.name) = \(field.name)") }
        output.line("    }")
        output.line()
        try emitDecoding(fields, into: &output)
        output.line()
        try emitEncoding(fields, into: &output)
        output.line("}")
    }

    private func emitDecoding(_ fields: [Field], into output: inout SourceFile) throws(GenerationError) {
        output.line("    package init(from reader: inout XDRReader) throws(VirtError) {")
        for field in fields {
            if case .codable(let name, _) = field.type {
                output.line("        \(field.name) = try \(name)(from: &reader)")
            } else if let call = field.type.readCall {
                output.line("        \(field.name) = try reader.\(call)")
            } else {
                throw unsupported(field)
            }
        }
        output.line("    }")
    }

    private func emitEncoding(_ fields: [Field], into output: inout SourceFile) throws(GenerationError) {
        output.line("    package func encode(into writer: inout XDRWriter) {")
        for field in fields {
            if case .codable = field.type {
                output.line("        \(field.name).encode(into: &writer)")
            } else if let call = field.type.writeCall(field.name, label: field.label) {
                output.line("        writer.\(call)")
            } else {
                throw unsupported(field)
            }
        }
        output.line("    }")
    }

    private func unsupported(_ field: Field) -> GenerationError {
        GenerationError(file: file, line: field.line, text: "'\(field.label)' is of a kind that has no Swift form")
    }
}

/// Writes the Swift enum of a description's enum.
enum EnumerationEmitter {
    static func emit(_ enumeration: EnumerationSyntax, into output: inout SourceFile) {
        output.line()
        output.line("/// `\(enumeration.name)`")
        output.line("package enum \(Naming.type(enumeration.name)): Int32, XDRCodable {")
        for member in enumeration.members {
            output.line("    case \(Naming.member(member.name, of: enumeration.name)) = \(member.value)")
        }
        output.line()
        output.line("    package init(from reader: inout XDRReader) throws(VirtError) {")
        output.line("        guard let value = Self(rawValue: try reader.int32()) else { throw XDRReader.failure }")
        output.line("        self = value")
        output.line("    }")
        output.line()
        output.line("    package func encode(into writer: inout XDRWriter) {")
        output.line("        writer.int32(rawValue)")
        output.line("    }")
        output.line("}")
    }
}
