import CLibXML2
import Glibc

/// An element of a parsed document. It keeps the document alive.
@usableFromInline
package struct XMLNode {
    let document: XMLDocument
    let pointer: UnsafeMutablePointer<xmlNode>

    /// The name, without a prefix.
    @usableFromInline
    package var name: String { Self.string(pointer.pointee.name) }

    /// The namespace that the name is in.
    @usableFromInline
    package var namespace: String? {
        guard let space = pointer.pointee.ns, let uri = space.pointee.href else { return nil }
        return Self.string(uri)
    }

    /// The line in the document, from 1.
    package var line: Int { Int(xmlGetLineNo(pointer)) }

    /// The text of an attribute that is in no namespace.
    @usableFromInline
    package func attribute(_ name: StaticString) -> String? {
        var next = pointer.pointee.properties
        while let property = next {
            if property.pointee.ns == nil, Self.equal(property.pointee.name, name) { return Self.value(property) }
            next = property.pointee.next
        }
        return nil
    }

    /// All attributes, with the prefixes that the document gives them.
    package var attributes: [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        var next = pointer.pointee.properties
        while let property = next {
            var name = Self.string(property.pointee.name)
            if let prefix = property.pointee.ns?.pointee.prefix { name = Self.string(prefix) + ":" + name }
            result.append((name, Self.value(property)))
            next = property.pointee.next
        }
        return result
    }

    /// The text in the element and below it.
    @usableFromInline
    package var text: String {
        if let only = pointer.pointee.children, only.pointee.next == nil, only.pointee.type == XML_TEXT_NODE {
            return Self.string(only.pointee.content)
        }
        guard let content = xmlNodeGetContent(pointer) else { return "" }
        defer { free(content) }
        return Self.string(content)
    }

    /// The child elements.
    @usableFromInline
    package var children: [XMLNode] {
        var result: [XMLNode] = []
        var next = pointer.pointee.children
        while let child = next {
            if child.pointee.type == XML_ELEMENT_NODE { result.append(XMLNode(document: document, pointer: child)) }
            next = child.pointee.next
        }
        return result
    }

    /// The first child of that name, in no namespace.
    package func child(_ name: StaticString) -> XMLNode? { firstChild(name, []) }

    /// All children of that name, in no namespace.
    package func children(_ name: StaticString) -> [XMLNode] {
        var result: [XMLNode] = []
        var next = child(name)
        while let child = next {
            result.append(child)
            next = child.nextSibling(name, [])
        }
        return result
    }

    /// The element as text, its inner lines indented for the given level.
    @usableFromInline
    package func dump(level: Int) -> String {
        guard let buffer = xmlBufferCreate() else { return "" }
        defer { xmlBufferFree(buffer) }
        guard xmlNodeDump(buffer, document.pointer, pointer, Int32(clamping: level), 1) >= 0,
            let content = xmlBufferContent(buffer)
        else { return "" }
        return String(cString: content)
    }

    @usableFromInline
    typealias Prefixes = [(prefix: StaticString, uri: StaticString)]

    @usableFromInline
    func firstChild(_ name: StaticString, _ prefixes: Prefixes) -> XMLNode? {
        Self.find(from: pointer.pointee.children, name, prefixes).map { XMLNode(document: document, pointer: $0) }
    }

    @usableFromInline
    func nextSibling(_ name: StaticString, _ prefixes: Prefixes) -> XMLNode? {
        Self.find(from: pointer.pointee.next, name, prefixes).map { XMLNode(document: document, pointer: $0) }
    }

    private static func find(
        from start: UnsafeMutablePointer<xmlNode>?, _ name: StaticString, _ prefixes: Prefixes
    ) -> UnsafeMutablePointer<xmlNode>? {
        if !prefixes.isEmpty, hasPrefix(name), let (local, uri) = split(name, prefixes) {
            return find(from: start, local, in: uri)
        }
        var next = start
        while let candidate = next {
            if candidate.pointee.type == XML_ELEMENT_NODE, candidate.pointee.ns == nil,
                equal(candidate.pointee.name, name)
            {
                return candidate
            }
            next = candidate.pointee.next
        }
        return nil
    }

    private static func find(
        from start: UnsafeMutablePointer<xmlNode>?, _ local: String, in uri: StaticString
    ) -> UnsafeMutablePointer<xmlNode>? {
        var next = start
        while let candidate = next {
            if candidate.pointee.type == XML_ELEMENT_NODE, let space = candidate.pointee.ns,
                equal(space.pointee.href, uri), string(candidate.pointee.name) == local
            {
                return candidate
            }
            next = candidate.pointee.next
        }
        return nil
    }

    private static func hasPrefix(_ name: StaticString) -> Bool {
        guard name.hasPointerRepresentation else { return false }
        return memchr(name.utf8Start, Int32(UInt8(ascii: ":")), name.utf8CodeUnitCount) != nil
    }

    private static func split(_ name: StaticString, _ prefixes: Prefixes) -> (String, StaticString)? {
        let text = "\(name)"
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let prefix = text[..<colon]
        guard let known = prefixes.first(where: { "\($0.prefix)" == prefix }) else { return nil }
        return (String(text[text.index(after: colon)...]), known.uri)
    }

    private static func value(_ property: UnsafeMutablePointer<xmlAttr>) -> String {
        guard let first = property.pointee.children else { return "" }
        if first.pointee.next == nil, first.pointee.type == XML_TEXT_NODE { return string(first.pointee.content) }
        guard let content = xmlNodeListGetString(property.pointee.doc, first, 1) else { return "" }
        defer { free(content) }
        return string(content)
    }

    private static func string(_ text: UnsafePointer<xmlChar>?) -> String {
        guard let text else { return "" }
        return String(cString: text)
    }

    private static func string(_ text: UnsafeMutablePointer<xmlChar>?) -> String {
        string(UnsafePointer(text))
    }

    private static func equal(_ text: UnsafePointer<xmlChar>?, _ name: StaticString) -> Bool {
        guard let text, name.hasPointerRepresentation else { return false }
        let count = name.utf8CodeUnitCount
        var index = 0
        while index < count {
            if text[index] != name.utf8Start[index] { return false }
            index += 1
        }
        return text[count] == 0
    }
}
