import VirtCore

/// Prints a message as the fixtures do: a line "path = value" for each field.
enum FieldPrinter {
    static func lines(of value: Any) -> [String] {
        var lines: [String] = []
        append(value, path: "", to: &lines)
        return lines
    }

    private static func append(_ value: Any, path: String, to lines: inout [String]) {
        if let text = numbers(value) { return lines.append("\(path) = \(text)") }
        switch value {
        case let value as String: lines.append("\(path) = \(quoted(value))")
        case let value as UUID: lines.append("\(path) = \(value)")
        case let value as TypedParameter: append(value, path: path, to: &lines)
        case let value as [Any]: append(elements: value, path: path, to: &lines)
        default: append(reflected: value, path: path, to: &lines)
        }
    }

    /// An array of numbers. Any empty array can be cast to any other: so its own type decides.
    private static func numbers(_ value: Any) -> String? {
        if type(of: value) == [UInt8].self { return (value as? [UInt8]).map { "0x" + hex($0) } }
        let types: [Any.Type] = [[Int8].self, [Int32].self, [UInt32].self, [Int64].self, [UInt64].self]
        return types.contains { $0 == type(of: value) } ? "\(value)" : nil
    }

    private static func append(_ value: TypedParameter, path: String, to lines: inout [String]) {
        lines.append("\(path).field = \(quoted(value.field))")
        lines.append("\(path).type = \(value.value.typeNumber)")
        let text =
            switch value.value {
            case .int(let number): "\(number)"
            case .uint(let number): "\(number)"
            case .llong(let number): "\(number)"
            case .ullong(let number): "\(number)"
            case .double(let number): "\(number)"
            case .boolean(let flag): flag ? "1" : "0"
            case .string(let text): quoted(text)
            }
        lines.append("\(path).value = \(text)")
    }

    private static func append(elements: [Any], path: String, to lines: inout [String]) {
        lines.append("\(path) = \(elements.count) items")
        for (index, element) in elements.enumerated() { append(element, path: "\(path)[\(index)]", to: &lines) }
    }

    private static func append(reflected value: Any, path: String, to lines: inout [String]) {
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .optional:
            guard let child = mirror.children.first else { return lines.append("\(path) = nil") }
            if !(child.value is String) { lines.append("\(path) = present") }
            append(child.value, path: path, to: &lines)
        case .struct:
            let start = path.isEmpty ? "" : "\(path)."
            if mirror.children.isEmpty, !path.isEmpty { return lines.append("\(path) = \(value)") }
            for child in mirror.children { append(child.value, path: "\(start)\(child.label ?? "?")", to: &lines) }
        case .enum:
            let number = (value as? any RawRepresentable<Int32>)?.rawValue ?? -1
            lines.append("\(path) = \(number)")
        default: lines.append("\(path) = \(value)")
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
