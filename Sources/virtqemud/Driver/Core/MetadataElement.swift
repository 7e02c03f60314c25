import VirtCore
import VirtXML

/// The elements below a domain's `<metadata>`: one per namespace, each an application's own.
enum MetadataElement {
    /// The element of a namespace, without the namespace; nil when there is none.
    static func find(_ uri: String, in metadata: XMLFragment?) throws(VirtError) -> String? {
        guard let root = try root(metadata) else { return nil }
        guard let element = root.children.first(where: { $0.namespace == uri }) else { return nil }
        return print(element, prefix: nil, uri: nil, depth: 0)
    }

    /// Puts an element under a namespace, in the place of the one that was there; nil removes that.
    static func set(
        _ text: String?, key: String?, uri: String, in metadata: XMLFragment?
    ) throws(VirtError) -> XMLFragment? {
        var lines: [String] = []
        for element in try root(metadata)?.children ?? [] where element.namespace != uri {
            lines.append(element.dump(level: 2))
        }
        if let text {
            let document = try XMLDocument.parse(text, name: "metadata", domain: .domain)
            guard let element = document.root else { throw VirtError(.xmlError, .domain, "empty metadata") }
            lines.append(print(element, prefix: key, uri: uri, depth: 2))
        }
        guard !lines.isEmpty else { return XMLFragment(text: "<metadata/>") }
        let body = lines.map { "    " + $0 + "\n" }.joined()
        return XMLFragment(text: "<metadata>\n\(body)  </metadata>")
    }

    private static func root(_ metadata: XMLFragment?) throws(VirtError) -> XMLNode? {
        guard let metadata else { return nil }
        return try XMLDocument.parse(metadata.text, name: "metadata", domain: .domain).root
    }

    /// An element as libxml2 prints it; with a prefix, its names are in that namespace.
    private static func print(_ node: XMLNode, prefix: String?, uri: String?, depth: Int) -> String {
        let name = prefix.map { "\($0):\(node.name)" } ?? node.name
        var head = name
        if let prefix, let uri { head += " xmlns:\(prefix)=\"\(escape(uri))\"" }
        for attribute in node.attributes { head += " \(attribute.name)=\"\(escape(attribute.value))\"" }
        let children = node.children
        if children.isEmpty {
            let text = node.text
            return text.isEmpty ? "<\(head)/>" : "<\(head)>\(escape(text))</\(name)>"
        }
        let indent = String(repeating: "  ", count: depth + 1)
        let body = children.map { indent + print($0, prefix: prefix, uri: nil, depth: depth + 1) + "\n" }.joined()
        return "<\(head)>\n\(body)\(indent.dropLast(2))</\(name)>"
    }

    private static func escape(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }
}
