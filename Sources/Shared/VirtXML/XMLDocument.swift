import CLibXML2
import Glibc
package import VirtCore

/// How much of a document is taken.
package struct XMLLimits: Sendable {
    /// The size in bytes above which a document is refused.
    package var maximumSize: Int

    package init(maximumSize: Int = 20 << 20) { self.maximumSize = maximumSize }
}

/// A parsed document, held by libxml2. Nothing is fetched, no entity is declared or expanded, nesting ends at 256
/// levels and one piece of text at 10 MB.
@safe package final class XMLDocument {
    let pointer: UnsafeMutablePointer<xmlDoc>

    private init(owning pointer: UnsafeMutablePointer<xmlDoc>) { unsafe self.pointer = unsafe pointer }

    deinit { unsafe xmlFreeDoc(pointer) }

    /// The outermost element.
    package var root: XMLNode? {
        unsafe xmlDocGetRootElement(pointer).map { unsafe XMLNode(document: self, pointer: $0) }
    }

    /// Parses a document. `name` stands for it in errors ("(domain_definition)"), `domain` is the layer that they
    /// come from. What is not well formed is VIR_ERR_XML_DETAIL with line, text and a pointer to the place.
    package static func parse(
        _ bytes: some Sequence<UInt8>, name: String, domain: VirtError.Domain, limits: XMLLimits = XMLLimits()
    ) throws(VirtError) -> XMLDocument {
        try parse(contiguous: Array(bytes), name: name, domain: domain, limits: limits)
    }

    package static func parse(
        _ text: String, name: String, domain: VirtError.Domain, limits: XMLLimits = XMLLimits(),
        keepingBlanks: Bool = false
    ) throws(VirtError) -> XMLDocument {
        try parse(
            contiguous: Array(text.utf8), name: name, domain: domain, limits: limits, keepingBlanks: keepingBlanks)
    }

    /// Parses a document and checks the name of its root.
    package static func root(
        _ root: String, of bytes: some Sequence<UInt8>, name: String, domain: VirtError.Domain,
        limits: XMLLimits = XMLLimits()
    ) throws(VirtError) -> XMLNode {
        let document = try parse(bytes, name: name, domain: domain, limits: limits)
        guard let element = document.root, element.name == root else {
            let found = document.root?.name ?? ""
            throw VirtError(.xmlError, .xml, "expecting root element of '\(root)', not '\(found)'")
        }
        return element
    }

    private static func parse(
        contiguous bytes: [UInt8], name: String, domain: VirtError.Domain, limits: XMLLimits,
        keepingBlanks: Bool = false
    ) throws(VirtError) -> XMLDocument {
        guard bytes.count <= limits.maximumSize, let size = Int32(exactly: bytes.count) else {
            throw VirtError(
                .xmlError, domain, "document of \(bytes.count) bytes exceeds the limit of \(limits.maximumSize) bytes")
        }
        xmlInitParser()
        guard let context = unsafe xmlNewParserCtxt() else { throw VirtError(.noMemory, domain) }
        defer { unsafe xmlFreeParserCtxt(context) }
        let failure = ParseFailure()
        unsafe context.pointee._private = unsafe Unmanaged.passUnretained(failure).toOpaque()
        unsafe ParseFailure.install(in: context)
        // Compact: short texts lie within their nodes. No blanks: the white space between elements is nobody's, and
        // what is kept as it came is indented anew, as libvirt does.
        let options = Int32(
            XML_PARSE_NONET.rawValue | XML_PARSE_NOWARNING.rawValue | XML_PARSE_COMPACT.rawValue
                | (keepingBlanks ? 0 : XML_PARSE_NOBLANKS.rawValue))
        let parsed = unsafe bytes.withUnsafeBytes { buffer in
            unsafe withExtendedLifetime(failure) {
                unsafe xmlCtxtReadMemory(
                    context, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), size, nil, nil, options)
            }
        }
        guard let parsed = unsafe parsed else { throw failure.error(name: name, domain: domain) }
        guard failure.first == nil, unsafe xmlDocGetRootElement(parsed) != nil else {
            unsafe xmlFreeDoc(parsed)
            throw failure.error(name: name, domain: domain)
        }
        return unsafe XMLDocument(owning: parsed)
    }
}
