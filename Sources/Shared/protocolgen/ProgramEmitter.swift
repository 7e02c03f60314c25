/// Writes all Swift files of one description.
struct ProgramEmitter {
    /// Structs and procedures of so many procedures go into one file.
    private static let proceduresPerFile = 80
    private static let imports = ["package import VirtCore"]

    private let description: Description
    private let program: ProgramSyntax
    private let resolver: Resolver
    private let structures: StructureEmitter
    private let procedures: ProcedureEmitter
    private let prefix: String

    init(_ description: Description, including others: [Description]) throws(GenerationError) {
        guard let program = description.program else {
            throw GenerationError(file: description.file, line: 1, text: "there is no program")
        }
        self.description = description
        self.program = program
        resolver = Resolver(description, including: others)
        structures = StructureEmitter(resolver: resolver, file: description.file)
        procedures = ProcedureEmitter(program: program, resolver: resolver, file: description.file)
        prefix = Naming.type(program.name)
    }

    func emit() throws(GenerationError) -> [SourceFile] {
        var files = [try programFile()]
        var emitted: Set<String> = []
        let parts = stride(from: 0, to: program.procedures.count, by: ProgramEmitter.proceduresPerFile)
        for start in parts {
            let end = min(start + ProgramEmitter.proceduresPerFile, program.procedures.count)
            let part = Array(program.procedures[start..<end])
            if let file = try messagesFile(part, &emitted) { files.append(file) }
            files.append(try proceduresFile(part))
        }
        if let file = try typesFile(except: emitted) { files.append(file) }
        return files
    }

    private func file(_ suffix: String, imports: [String] = []) -> SourceFile {
        SourceFile("\(prefix)\(suffix).swift", from: "Protocols/\(description.file)", imports: imports)
    }

    /// The suffix of the file for some procedures: numbered when there is more than one file.
    private func suffix(_ kind: String, _ part: [ProcedureSyntax]) -> String {
        guard program.procedures.count > ProgramEmitter.proceduresPerFile, let first = part.first, let last = part.last
        else { return "Program+\(kind)" }
        func padded(_ number: Int) -> String { String(String(number + 1000).dropFirst()) }
        return "Program+\(kind)\(padded(first.number))To\(padded(last.number))"
    }

    private func programFile() throws(GenerationError) -> SourceFile {
        var output = file("Program")
        output.line("/// The \(program.name) program: its numbers, its procedures in order, a type for each of them.")
        output.line("package enum \(prefix)Program {")
        output.line("    package static let number: UInt32 = 0x\(String(program.number, radix: 16))")
        output.line("    package static let version: UInt32 = \(program.version)")
        output.line("    package static let description = ProgramDescription(")
        output.line("        name: \"\(program.name)\", number: number, version: version, procedures: procedures)")
        output.line()
        output.line("    package static let procedures: [ProcedureDescriptor] = [")
        for procedure in program.procedures { output.line("        \(Naming.type(procedure.name)).descriptor,") }
        output.line("    ]")
        output.line("}")
        emitLimits(into: &output)
        return output
    }

    /// The constants that bear the program's name: limits of its arrays and texts.
    private func emitLimits(into output: inout SourceFile) {
        let own = program.name.uppercased() + "_"
        let limits = description.constants.filter { $0.name.hasPrefix(own) }
        guard !limits.isEmpty else { return }
        output.line()
        output.line("/// The most that fields of the \(program.name) program can hold.")
        output.line("package enum \(prefix)Limit {")
        for limit in limits {
            let name = Naming.constant(limit.name.dropFirst(own.count))
            output.line("    package static let \(name) = \(grouped(limit.value))")
        }
        output.line("}")
    }

    private func messagesFile(
        _ part: [ProcedureSyntax], _ emitted: inout Set<String>
    ) throws(GenerationError) -> SourceFile? {
        var output = file(suffix("Messages", part), imports: ProgramEmitter.imports)
        let before = emitted.count
        for procedure in part {
            let kind = procedure.isEvent ? "Event" : "Arguments of"
            for (name, role) in [(procedure.arguments, kind), (procedure.reply, "Reply of")] {
                guard let name, let structure = resolver.structure(name) else { continue }
                guard emitted.insert(name).inserted else { continue }
                let comment = "\(role) \(procedure.name) (\(procedure.number))."
                try structures.emit(structure, comment: comment, into: &output)
            }
        }
        return emitted.count > before ? output : nil
    }

    private func proceduresFile(_ part: [ProcedureSyntax]) throws(GenerationError) -> SourceFile {
        var output = file(suffix("Procedures", part))
        output.line("extension \(prefix)Program {")
        for procedure in part { try procedures.emit(procedure, into: &output) }
        output.line("}")
        return output
    }

    /// What several messages share.
    private func typesFile(except emitted: Set<String>) throws(GenerationError) -> SourceFile? {
        let rest = description.structures.filter { !emitted.contains($0.name) && !resolver.isRepresented($0.name) }
        guard !rest.isEmpty || !description.enumerations.isEmpty else { return nil }
        var output = file("Types", imports: ProgramEmitter.imports)
        for enumeration in description.enumerations { EnumerationEmitter.emit(enumeration, into: &output) }
        for structure in rest {
            try structures.emit(structure, comment: "`\(structure.name)`", into: &output)
        }
        return output
    }
}
