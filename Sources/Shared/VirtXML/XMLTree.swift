package import VirtCore

/// An element as a plain value, for comparing documents: the order of attributes and the white space between
/// elements do not count.
package struct XMLTree: Sendable, Hashable, CustomStringConvertible {
    package var name: String
    package var attributes: [String: String]
    package var text: String
    package var children: [XMLTree]

    package init(_ node: XMLNode) {
        name = node.name
        attributes = Dictionary(node.attributes.map { ($0.name, $0.value) }) { first, _ in first }
        children = node.children.map { XMLTree($0) }
        text = children.isEmpty ? node.text.trimmedASCII : ""
    }

    /// Reads a document for comparing it.
    package init(parsing text: String) throws(VirtError) {
        let document = try XMLDocument.parse(text, name: "document", domain: .xml)
        guard let root = document.root else { throw VirtError(.xmlError, .xml, "empty document") }
        self.init(root)
    }

    package var description: String { lines("").joined(separator: "\n") }

    /// One line per element and text, indented, attributes sorted by name.
    package func lines(_ indent: String) -> [String] {
        let shown = attributes.sorted { $0.key < $1.key }.map { " \($0.key)='\($0.value)'" }.joined()
        let head = "\(indent)<\(name)\(shown)>\(text)"
        return [head] + children.flatMap { $0.lines(indent + "  ") }
    }
}

extension String {
    /// Without the white space around it.
    fileprivate var trimmedASCII: String {
        let bytes = Array(utf8)
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let start = bytes.firstIndex(where: { !isSpace($0) }), let end = bytes.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(decoding: bytes[start...end], as: UTF8.self)
    }
}
