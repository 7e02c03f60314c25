import CLibXML2
import Glibc

/// An element of a parsed document. It keeps the document alive.
@usableFromInline
@safe package struct XMLNode {
    let document: XMLDocument
    let pointer: UnsafeMutablePointer<xmlNode>

    /// The name, without a prefix.
    @usableFromInline
    package var name: String { unsafe Self.string(pointer.pointee.name) }

    /// The namespace that the name is in.
    @usableFromInline
    package var namespace: String? {
        guard let space = unsafe pointer.pointee.ns, let uri = unsafe space.pointee.href else { return nil }
        return unsafe Self.string(uri)
    }

    /// The line in the document, from 1.
    package var line: Int { unsafe Int(xmlGetLineNo(pointer)) }

    /// The text of an attribute that is in no namespace.
    @usableFromInline
    package func attribute(_ name: StaticString) -> String? {
        guard let name = unsafe Self.text(name) else { return nil }
        var next = unsafe pointer.pointee.properties
        while let property = unsafe next {
            if unsafe property.pointee.ns == nil, unsafe Self.equal(property.pointee.name, name) {
                return unsafe Self.value(property)
            }
            unsafe next = unsafe property.pointee.next
        }
        return nil
    }

    /// All attributes, with the prefixes that the document gives them.
    package var attributes: [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        var next = unsafe pointer.pointee.properties
        while let property = unsafe next {
            var name = unsafe Self.string(property.pointee.name)
            if let prefix = unsafe property.pointee.ns?.pointee.prefix {
                name = unsafe Self.string(prefix) + ":" + name
            }
            unsafe result.append((name, Self.value(property)))
            unsafe next = unsafe property.pointee.next
        }
        return result
    }

    /// The text in the element and below it.
    @usableFromInline
    package var text: String {
        if let only = unsafe pointer.pointee.children, unsafe only.pointee.next == nil,
            unsafe only.pointee.type == XML_TEXT_NODE
        {
            return unsafe Self.string(only.pointee.content)
        }
        guard let content = unsafe xmlNodeGetContent(pointer) else { return "" }
        defer { unsafe free(content) }
        return unsafe Self.string(content)
    }

    /// The child elements.
    @usableFromInline
    package var children: [XMLNode] {
        var result: [XMLNode] = []
        var next = unsafe pointer.pointee.children
        while let child = unsafe next {
            if unsafe child.pointee.type == XML_ELEMENT_NODE {
                unsafe result.append(XMLNode(document: document, pointer: child))
            }
            unsafe next = unsafe child.pointee.next
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

    /// Leaves one child of each namespace: applications have one element each in `<metadata>`, and what is in no
    /// namespace belongs to nobody.
    @usableFromInline
    package func keepFirstOfEachNamespace() {
        var seen: Set<String> = []
        var next = unsafe pointer.pointee.children
        while let child = unsafe next {
            unsafe next = unsafe child.pointee.next
            let isElement = unsafe child.pointee.type == XML_ELEMENT_NODE
            let space = isElement ? unsafe XMLNode(document: document, pointer: child).namespace : nil
            if let space, seen.insert(space).inserted { continue }
            unsafe xmlUnlinkNode(child)
            unsafe xmlFreeNode(child)
        }
    }

    /// The element as text, its inner lines indented for the given level.
    @usableFromInline
    package func dump(level: Int) -> String {
        guard let buffer = unsafe xmlBufferCreate() else { return "" }
        defer { unsafe xmlBufferFree(buffer) }
        guard unsafe xmlNodeDump(buffer, document.pointer, pointer, Int32(clamping: level), 1) >= 0,
            let content = unsafe xmlBufferContent(buffer)
        else { return "" }
        return unsafe String(cString: content)
    }

    @usableFromInline
    typealias Prefixes = [(prefix: StaticString, uri: StaticString)]

    @usableFromInline
    func firstChild(_ name: StaticString, _ prefixes: Prefixes) -> XMLNode? {
        unsafe Self.find(from: pointer.pointee.children, name, prefixes).map {
            unsafe XMLNode(document: document, pointer: $0)
        }
    }

    @usableFromInline
    func nextSibling(_ name: StaticString, _ prefixes: Prefixes) -> XMLNode? {
        unsafe Self.find(from: pointer.pointee.next, name, prefixes).map {
            unsafe XMLNode(document: document, pointer: $0)
        }
    }

    private static func find(
        from start: UnsafeMutablePointer<xmlNode>?, _ name: StaticString, _ prefixes: Prefixes
    ) -> UnsafeMutablePointer<xmlNode>? {
        guard let start = unsafe start, let wanted = unsafe text(name) else { return nil }
        if let known = prefixes.first(where: { isPrefix($0.prefix, of: name) }) {
            return unsafe find(from: start, wanted + known.prefix.utf8CodeUnitCount + 1, in: known.uri)
        }
        var next = unsafe Optional(start)
        while let candidate = unsafe next {
            if unsafe candidate.pointee.type == XML_ELEMENT_NODE, unsafe candidate.pointee.ns == nil,
                unsafe equal(candidate.pointee.name, wanted)
            {
                return unsafe candidate
            }
            unsafe next = unsafe candidate.pointee.next
        }
        return nil
    }

    private static func find(
        from start: UnsafeMutablePointer<xmlNode>, _ local: UnsafePointer<UInt8>, in uri: StaticString
    ) -> UnsafeMutablePointer<xmlNode>? {
        guard let uri = unsafe text(uri) else { return nil }
        var next = unsafe Optional(start)
        while let candidate = unsafe next {
            if unsafe candidate.pointee.type == XML_ELEMENT_NODE, let space = unsafe candidate.pointee.ns,
                unsafe equal(space.pointee.href, uri), unsafe equal(candidate.pointee.name, local)
            {
                return unsafe candidate
            }
            unsafe next = unsafe candidate.pointee.next
        }
        return nil
    }

    /// Static text as C has it: it ends with a zero.
    private static func text(_ text: StaticString) -> UnsafePointer<UInt8>? {
        text.hasPointerRepresentation ? unsafe text.utf8Start : nil
    }

    /// Whether the name starts with the prefix and a colon.
    private static func isPrefix(_ prefix: StaticString, of name: StaticString) -> Bool {
        let count = prefix.utf8CodeUnitCount
        guard prefix.hasPointerRepresentation, name.utf8CodeUnitCount > count else { return false }
        return unsafe name.utf8Start[count] == UInt8(ascii: ":")
            && memcmp(name.utf8Start, prefix.utf8Start, count) == 0
    }

    private static func value(_ property: UnsafeMutablePointer<xmlAttr>) -> String {
        guard let first = unsafe property.pointee.children else { return "" }
        if unsafe first.pointee.next == nil, unsafe first.pointee.type == XML_TEXT_NODE {
            return unsafe string(first.pointee.content)
        }
        guard let content = unsafe xmlNodeListGetString(property.pointee.doc, first, 1) else { return "" }
        defer { unsafe free(content) }
        return unsafe string(content)
    }

    private static func string(_ text: UnsafePointer<xmlChar>?) -> String {
        guard let text = unsafe text else { return "" }
        return unsafe String(cString: text)
    }

    private static func string(_ text: UnsafeMutablePointer<xmlChar>?) -> String {
        unsafe string(UnsafePointer(text))
    }

    /// Most names differ in their first bytes.
    private static func equal(_ text: UnsafePointer<xmlChar>?, _ name: UnsafePointer<UInt8>) -> Bool {
        guard let text = unsafe text, unsafe text.pointee == name.pointee else { return false }
        return unsafe xmlStrEqual(text, name) != 0
    }
}
