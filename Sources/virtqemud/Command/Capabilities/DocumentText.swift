/// A document that is only ever printed, line by line, in libvirt's form.
package struct DocumentText {
    package private(set) var text = ""
    private var depth = 0

    package init() {}

    /// `<name attributes/>`, or with contents on one line.
    package mutating func leaf(_ name: String, _ attributes: [(String, String)] = [], _ content: String? = nil) {
        let start = indent + "<" + name + Self.format(attributes)
        text += content.map { "\(start)>\(Self.escape($0))</\(name)>\n" } ?? "\(start)/>\n"
    }

    /// An element with children; without any it is a leaf.
    package mutating func element(
        _ name: String, _ attributes: [(String, String)] = [], _ body: (inout DocumentText) -> Void
    ) {
        let mark = text
        text += indent + "<" + name + Self.format(attributes) + ">\n"
        let opened = text.utf8.count
        depth += 1
        body(&self)
        depth -= 1
        if text.utf8.count == opened {
            text = mark
            return leaf(name, attributes)
        }
        text += indent + "</\(name)>\n"
    }

    /// The list of values that something can have.
    package mutating func enumeration(_ name: String, _ values: [String]) {
        element("enum", [("name", name)]) { list in
            for value in values { list.leaf("value", [], value) }
        }
    }

    /// Text that is formatted already.
    package mutating func raw(_ lines: String) { text += lines }

    package mutating func blank() { text += "\n" }

    private var indent: String { String(repeating: "  ", count: depth) }

    private static func format(_ attributes: [(String, String)]) -> String {
        attributes.map { " \($0.0)='\(escape($0.1))'" }.joined()
    }

    private static func escape(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "'": result += "&apos;"
            case "\"": result += "&quot;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

/// `yes` or `no`.
func yesNo(_ flag: Bool) -> String { flag ? "yes" : "no" }
