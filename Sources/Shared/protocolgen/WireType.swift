/// A field's type: how it is named in Swift, read, written and how little space it takes.
indirect enum WireType: Equatable, Sendable {
    /// Numbers of one kind; the name is the reader's and writer's function ("uint32").
    case scalar(String)
    case string(max: Int)
    case opaque(max: Int)
    case fixedOpaque(Int)
    case fixedCharacters(Int)
    /// A Swift type that conforms to XDRCodable, and its least size.
    case codable(String, size: Int)
    case uuid
    case optional(WireType)
    case array(WireType, max: Int)

    private static let scalars: [String: (type: String, size: Int)] = [
        "int32": ("Int32", 4), "uint32": ("UInt32", 4), "int64": ("Int64", 8), "uint64": ("UInt64", 8),
        "double": ("Double", 8), "bool": ("Bool", 4), "int8": ("Int8", 4), "uint8": ("UInt8", 4),
        "int16": ("Int16", 4), "uint16": ("UInt16", 4),
    ]

    static let basic: [String: WireType] = [
        "int": .scalar("int32"), "unsigned int": .scalar("uint32"), "hyper": .scalar("int64"),
        "unsigned hyper": .scalar("uint64"), "double": .scalar("double"), "bool": .scalar("bool"),
        "char": .scalar("int8"), "unsigned char": .scalar("uint8"), "short": .scalar("int16"),
        "unsigned short": .scalar("uint16"),
    ]

    var swiftType: String {
        switch self {
        case .scalar(let name): WireType.scalars[name]?.type ?? name
        case .string: "String"
        case .opaque, .fixedOpaque: "[UInt8]"
        case .fixedCharacters: "[Int8]"
        case .codable(let name, _): name
        case .uuid: "UUID"
        case .optional(let type): type.swiftType + "?"
        case .array(let type, _): "[\(type.swiftType)]"
        }
    }

    /// Fewest bytes on the wire.
    var leastSize: Int {
        switch self {
        case .scalar(let name): WireType.scalars[name]?.size ?? 4
        case .string, .opaque, .optional, .array: 4
        case .fixedOpaque(let count): (count + 3) & ~3
        case .fixedCharacters(let count): count * 4
        case .codable(_, let size): size
        case .uuid: 16
        }
    }

    /// The call on `reader` that yields the value; nil when there is no such combination.
    var readCall: String? {
        switch self {
        case .scalar(let name): "\(name)()"
        case .string(let max): "string(max: \(grouped(max)))"
        case .opaque(let max): "opaque(max: \(grouped(max)))"
        case .fixedOpaque(let count): "opaque(count: \(count))"
        case .fixedCharacters(let count): "int8s(count: \(count))"
        case .codable: nil
        case .uuid: "uuid()"
        case .optional(.string(let max)): "optionalString(max: \(grouped(max)))"
        case .optional(.codable(let name, _)): "optional(\(name).self)"
        case .optional: nil
        case .array(.scalar(let name), let max): "\(name)s(max: \(grouped(max)))"
        case .array(.string(let length), let max): "strings(max: \(grouped(max)), length: \(grouped(length)))"
        case .array(.uuid, let max): "uuids(max: \(grouped(max)))"
        case .array(.codable(let name, let size), let max):
            "array(of: \(name).self, max: \(grouped(max)), elementSize: \(size))"
        case .array: nil
        }
    }

    /// The call on `writer`; `value` is the field, `label` its name in the description.
    func writeCall(_ value: String, label: String) -> String? {
        switch self {
        case .scalar(let name): "\(name)(\(value))"
        case .string(let max): "string(\(value), max: \(grouped(max)))"
        case .opaque(let max): "opaque(\(value), max: \(grouped(max)), \"\(label)\")"
        case .fixedOpaque(let count): "opaque(\(value), count: \(count))"
        case .fixedCharacters(let count): "int8s(\(value), count: \(count))"
        case .codable: nil
        case .uuid: "uuid(\(value))"
        case .optional(.string(let max)): "optionalString(\(value), max: \(grouped(max)))"
        case .optional(.codable): "optional(\(value))"
        case .optional: nil
        case .array(.scalar(let name), let max): "\(name)s(\(value), max: \(grouped(max)), \"\(label)\")"
        case .array(.string(let length), let max):
            "strings(\(value), max: \(grouped(max)), length: \(grouped(length)), \"\(label)\")"
        case .array(.uuid, let max): "uuids(\(value), max: \(grouped(max)), \"\(label)\")"
        case .array(.codable, let max): "array(\(value), max: \(grouped(max)), \"\(label)\")"
        case .array: nil
        }
    }
}

/// A number as Swift source: 4_194_304.
func grouped(_ number: Int) -> String {
    guard number >= 10_000 else { return String(number) }
    var text = ""
    for (index, digit) in String(number).reversed().enumerated() {
        if index > 0, index % 3 == 0 { text.append("_") }
        text.append(digit)
    }
    return String(text.reversed())
}
