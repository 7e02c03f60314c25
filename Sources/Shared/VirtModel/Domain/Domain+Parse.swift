import VirtCore
package import VirtXML

extension Domain {
    /// Reads a definition, or with `.status` the live part of a status document. What is missing is not filled in:
    /// that is `complete`'s work.
    package static func parse(
        _ bytes: some Sequence<UInt8>, flags: MappingFlags = .inactive, limits: XMLLimits = XMLLimits()
    ) throws -> Domain {
        let root = try XMLDocument.root(
            "domain", of: bytes, name: "domain_definition", domain: .domain, limits: limits)
        return try parse(root, flags: flags)
    }

    /// Reads a definition.
    package static func parse(
        _ text: String, flags: MappingFlags = .inactive, limits: XMLLimits = XMLLimits()
    ) throws -> Domain {
        try parse(text.utf8, flags: flags, limits: limits)
    }

    /// Reads a `<domain>` element within another document.
    package static func parse(_ element: XMLNode, flags: MappingFlags = .inactive) throws -> Domain {
        try ElementReader.read(element, flags: flags)
    }

    /// The document as libvirt prints it: `.inactive` the definition, without it the running guest; `.secure` with
    /// passwords; `.status` with the driver's private data; `.migratable` the definition for another host.
    package func format(_ flags: MappingFlags = [], depth: Int = 0) throws -> String {
        if flags.contains(.migratable) {
            let other = flags.subtracting(.migratable).union([.inactive, .secure])
            return try migratable().format(other, depth: depth)
        }
        return try ElementWriter.document("domain", self, flags: flags, depth: depth)
    }
}
