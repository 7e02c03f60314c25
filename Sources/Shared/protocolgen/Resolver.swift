/// Finds out what the types of a description are in Swift.
struct Resolver {
    private var typedefs: [String: Declaration] = [:]
    private var enumerations: Set<String> = []
    private var structures: [String: StructureSyntax] = [:]
    private var represented: [String: String] = [:]
    private let file: String

    init(_ description: Description, including others: [Description]) {
        file = description.file
        for part in others + [description] {
            typedefs.merge(part.typedefs) { $1 }
            enumerations.formUnion(part.enumerations.map(\.name))
            represented.merge(part.represented) { $1 }
            for structure in part.structures { structures[structure.name] = structure }
        }
    }

    func isRepresented(_ name: String) -> Bool { represented[name] != nil }

    func structure(_ name: String) -> StructureSyntax? { structures[name] }

    func type(of declaration: Declaration) throws(GenerationError) -> WireType {
        switch (declaration.type, declaration.shape) {
        case ("string", .variable(let max)): return .string(max: max)
        case ("opaque", .variable(let max)): return .opaque(max: max)
        case ("opaque", .fixed(let count)): return .fixedOpaque(count)
        case ("char", .fixed(let count)): return .fixedCharacters(count)
        case (let name, .plain): return try type(named: name, line: declaration.line)
        case (let name, .optional): return .optional(try type(named: name, line: declaration.line))
        case (let name, .variable(let max)): return .array(try type(named: name, line: declaration.line), max: max)
        case (let name, .fixed):
            throw GenerationError(file: file, line: declaration.line, text: "no fixed arrays of '\(name)'")
        }
    }

    private func type(named name: String, line: Int) throws(GenerationError) -> WireType {
        if let basic = WireType.basic[name] { return basic }
        switch represented[name] {
        case "UUID": return .uuid
        case "TypedParameter": return .codable("TypedParameter", size: 12)
        case let other?:
            throw GenerationError(file: file, line: line, text: "'\(other)' is no Swift type that is known")
        case nil: break
        }
        if let definition = typedefs[name] { return try type(of: definition) }
        if enumerations.contains(name) { return .codable(Naming.type(name), size: 4) }
        guard let structure = structures[name] else {
            throw GenerationError(file: file, line: line, text: "type '\(name)' is not known")
        }
        return .codable(Naming.type(name), size: try leastSize(of: structure))
    }

    private func leastSize(of structure: StructureSyntax) throws(GenerationError) -> Int {
        var size = 0
        for field in structure.fields { size += try type(of: field).leastSize }
        return size
    }
}
