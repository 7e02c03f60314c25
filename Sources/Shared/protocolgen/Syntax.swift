/// A declaration of a field or a typedef: base type, name and shape.
struct Declaration {
    enum Shape {
        case plain
        case optional
        case fixed(Int)
        case variable(Int)
    }

    let type: String
    let name: String
    let shape: Shape
    let line: Int
}

struct StructureSyntax {
    let name: String
    let fields: [Declaration]
    let line: Int
}

struct EnumerationSyntax {
    let name: String
    let members: [(name: String, value: Int)]
}

/// When a rule counts, as the description says it.
enum RuleCondition {
    case always
    case flags(Int)
    case noFlags(Int)
    case equals(field: String, Int)
}

struct AccessSyntax {
    let object: String
    let permission: String
    let condition: RuleCondition
}

struct ProcedureSyntax {
    let name: String
    let number: Int
    let isEvent: Bool
    /// Arguments of a call, content of an event; nil: void.
    let arguments: String?
    let reply: String?
    let line: Int
    var isHighPriority = false
    var api = ""
    /// "read" or "write"
    var stream: String?
    var sparseFlag = 0
    var denied: RuleCondition?
    var access: [AccessSyntax] = []
    var filter: [AccessSyntax] = []
}

struct ProgramSyntax {
    let name: String
    let number: Int
    let version: Int
    let procedures: [ProcedureSyntax]
}

/// All that one description says.
struct Description {
    let file: String
    var includes: [String] = []
    var constants: [(name: String, value: Int)] = []
    var typedefs: [String: Declaration] = [:]
    var enumerations: [EnumerationSyntax] = []
    var structures: [StructureSyntax] = []
    /// Types that have a Swift type of their own, and its name.
    var represented: [String: String] = [:]
    /// Unions are only described where Swift has a type of its own for what holds them.
    var unions: Set<String> = []
    var program: ProgramSyntax?

    init(file: String) { self.file = file }
}
