import VirtCore
import VirtXML

/// The elements below a domain's `<metadata>`: one per namespace, each an application's own.
enum MetadataElement {
    /// The element of a namespace, without the namespace; nil when there is none.
    static func find(_ uri: String, in metadata: XMLFragment?) throws(VirtError) -> String? {
        guard let element = try elements(metadata, keepingBlanks: false).first(where: { $0.namespace == uri }) else {
            return nil
        }
        element.leaveNamespace(uri)
        return element.dump(level: 0)
    }

    /// Puts an element under a namespace, in the place of the one that was there; nil removes that.
    static func set(
        _ text: String?, key: String, uri: String, in metadata: XMLFragment?
    ) throws(VirtError) -> XMLFragment {
        var lines: [String] = []
        for element in try elements(metadata, keepingBlanks: true) where element.namespace != uri {
            lines.append(element.dump(level: 2))
        }
        if let text {
            let document = try XMLDocument.parse(text, name: "(metadata_xml)", domain: .domain, keepingBlanks: true)
            guard let element = document.root else { throw VirtError(.xmlError, .domain, "empty metadata") }
            try element.enterNamespace(uri, prefix: key)
            lines.append(element.dump(level: 2))
        }
        guard !lines.isEmpty else { return XMLFragment(text: "<metadata/>") }
        let body = lines.map { "    " + $0 + "\n" }.joined()
        return XMLFragment(text: "<metadata>\n\(body)  </metadata>")
    }

    private static func elements(_ metadata: XMLFragment?, keepingBlanks: Bool) throws(VirtError) -> [XMLNode] {
        guard let metadata else { return [] }
        let document = try XMLDocument.parse(
            metadata.text, name: "metadata", domain: .domain, keepingBlanks: keepingBlanks)
        return document.root?.children ?? []
    }
}
