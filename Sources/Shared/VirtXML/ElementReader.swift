public import VirtCore

/// Fills values in from a parsed document.
@usableFromInline
package struct ElementReader: ElementMapper {
    @usableFromInline package let flags: MappingFlags
    @usableFromInline let element: XMLNode
    @usableFromInline var prefixes: [(prefix: StaticString, uri: StaticString)] = []

    @inlinable
    package var isReading: Bool { true }
    @inlinable
    package var node: XMLNode? { element }

    @inlinable
    package init(_ element: XMLNode, flags: MappingFlags = []) {
        self.element = element
        self.flags = flags
    }

    /// Reads one element.
    @inlinable
    package static func read<T: XMLMappable>(_ element: XMLNode, flags: MappingFlags = []) throws -> T {
        var reader = ElementReader(element, flags: flags)
        var value = T()
        try value.map(&reader)
        return value
    }

    @inlinable
    package mutating func attribute<T: XMLValue>(
        _ name: StaticString, _ value: inout T?, _ format: XMLFormat, invalid: InvalidValue?
    ) throws(VirtError) {
        value = nil
        guard let text = element.attribute(name) else { return }
        guard let read = T(xml: text, format: format) else {
            throw (invalid ?? T.invalid)?.error(text)
                ?? .invalidAttribute(
                    "\(name)", of: element.name, value: text, expectation: T.expectation(format: format))
        }
        value = read
    }

    @inlinable
    package mutating func text<T: XMLValue>(
        _ value: inout T?, _ format: XMLFormat, invalid: InvalidValue?
    ) throws(VirtError) {
        value = nil
        let text = element.text
        // libvirt takes an empty element for a missing one.
        if text.isEmpty { return }
        guard let read = T(xml: text, format: format) else {
            throw (invalid ?? T.invalid)?.error(text) ?? .invalidText(text, of: element.name)
        }
        value = read
    }

    @inlinable
    package mutating func group(
        _ name: StaticString, always: Bool, _ body: (inout ElementReader) throws -> Void
    ) throws {
        guard let child = element.firstChild(name, prefixes) else { return }
        var reader = inherit(child)
        try body(&reader)
    }

    @inlinable
    package mutating func element<T: XMLMappable>(_ name: StaticString, _ value: inout T?) throws {
        value = nil
        guard let child = element.firstChild(name, prefixes) else { return }
        var reader = inherit(child)
        // Where it belongs: a large value is not copied there.
        value = T()
        try value?.map(&reader)
    }

    @inlinable
    package mutating func elements<T: XMLMappable>(_ name: StaticString, _ values: inout [T]) throws {
        values.removeAll()
        var next = element.firstChild(name, prefixes)
        while let child = next {
            var reader = inherit(child)
            values.append(T())
            try values[values.count - 1].map(&reader)
            next = child.nextSibling(name, prefixes)
        }
    }

    @inlinable
    package mutating func choices<T: XMLChoice>(_ values: inout [T]) throws {
        values.removeAll()
        for child in element.children {
            guard var value = T.make(elementName: child.name) else { continue }
            var reader = inherit(child)
            try value.map(&reader)
            values.append(value)
        }
    }

    @inlinable
    package mutating func textElements<T: XMLValue>(
        _ name: StaticString, _ values: inout [T], _ format: XMLFormat
    ) throws {
        values.removeAll()
        var next = element.firstChild(name, prefixes)
        while let child = next {
            var reader = inherit(child)
            var read: T?
            try reader.text(&read, format, invalid: nil)
            if let read { values.append(read) }
            next = child.nextSibling(name, prefixes)
        }
    }

    @inlinable
    package mutating func fragment(_ name: StaticString, _ value: inout XMLFragment?, level: Int) {
        value = element.firstChild(name, prefixes).map { child in
            if "\(name)" == "metadata" { child.keepFirstOfEachNamespace() }
            return XMLFragment(text: child.dump(level: level))
        }
    }

    @inlinable
    package mutating func namespace(_ prefix: StaticString, _ uri: StaticString, used: Bool) {
        prefixes.append((prefix, uri))
    }

    @inlinable
    package mutating func blankLine() {}

    @inlinable
    func inherit(_ element: XMLNode) -> ElementReader {
        var reader = ElementReader(element, flags: flags)
        reader.prefixes = prefixes
        return reader
    }
}
