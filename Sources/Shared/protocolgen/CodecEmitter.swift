/// Writes the tables through which tests and fuzz targets reach the types of every procedure.
enum CodecEmitter {
    static func emit(_ program: ProgramSyntax, from file: String) -> SourceFile {
        let prefix = Naming.type(program.name)
        var output = SourceFile("\(prefix)Codecs.swift", from: "Protocols/\(file)", imports: ["import VirtWire"])
        output.line()
        output.line("extension CodecTable {")
        output.line("    static let \(program.name): CodecTable = {")
        output.line("        var table = CodecTable(\(prefix)Program.description)")
        for procedure in program.procedures {
            let kind = procedure.isEvent ? "event" : "call"
            output.line("        table.\(kind)(\(prefix)Program.\(Naming.type(procedure.name)).self)")
        }
        output.line("        return table")
        output.line("    }()")
        output.line("}")
        return output
    }
}
