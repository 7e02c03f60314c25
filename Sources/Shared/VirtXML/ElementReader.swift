package import VirtCore

/// Fills values in from a parsed document.
package struct ElementReader: ElementMapper {
    package let flags: MappingFlags
    private let element: XMLNode
    private var prefixes: [(prefix: StaticString, uri: StaticString)] = []

    package var isReading: Bool { true }
    package var node: XMLNode? { element }

    package init(_ element: XMLNode, flags: MappingFlags = []) {
        self.element = element
        self.flags = flags
    }

    /// Reads one element.
    package static func read<T: XMLMappable>(_ element: XMLNode, flags: MappingFlags = []) throws -> T {
        var reader = ElementReader(element, flags: flags)
        var value = T()
        try value.map(&reader)
        return value
    }

    package mutating func attribute<T: XMLValue>(
        _ name: StaticString, _ value: inout T?, _ format: XMLFormat, invalid: InvalidValue?
    ) throws(VirtError) {
        value = nil
        guard let text = element.attribute(name) else { return }
        guard let read = T(xml: text, format: format) else {
            throw invalid?.error(text)
                ?? .invalidAttribute(
                    "\(name)", of: element.name, value: text, expectation: T.expectation(format: format))
        }
        value = read
    }

    package mutating func text<T: XMLValue>(
        _ value: inout T?, _ format: XMLFormat, invalid: InvalidValue?
    ) throws(VirtError) {
        value = nil
        let text = element.text
        // libvirt takes an empty element for a missing one.
        if text.isEmpty { return }
        guard let read = T(xml: text, format: format) else {
            throw invalid?.error(text) ?? .malformed("Invalid value '\(text)' of element '\(element.name)'")
        }
        value = read
    }

    package mutating func group(
        _ name: StaticString, always: Bool, _ body: (inout ElementReader) throws -> Void
    ) throws {
        guard let child = element.firstChild(name, prefixes) else { return }
        var reader = child.reader(like: self)
        try body(&reader)
    }

    package mutating func element<T: XMLMappable>(_ name: StaticString, _ value: inout T?) throws {
        value = nil
        guard let child = element.firstChild(name, prefixes) else { return }
        var reader = child.reader(like: self)
        var read = T()
        try read.map(&reader)
        value = read
    }

    package mutating func elements<T: XMLMappable>(_ name: StaticString, _ values: inout [T]) throws {
        values.removeAll()
        var next = element.firstChild(name, prefixes)
        while let child = next {
            var reader = child.reader(like: self)
            var read = T()
            try read.map(&reader)
            values.append(read)
            next = child.nextSibling(name, prefixes)
        }
    }

    package mutating func choices<T: XMLChoice>(_ values: inout [T]) throws {
        values.removeAll()
        for child in element.children {
            guard var value = T.make(elementName: child.name) else { continue }
            var reader = child.reader(like: self)
            try value.map(&reader)
            values.append(value)
        }
    }

    package mutating func textElements<T: XMLValue>(
        _ name: StaticString, _ values: inout [T], _ format: XMLFormat
    ) throws {
        values.removeAll()
        var next = element.firstChild(name, prefixes)
        while let child = next {
            var reader = child.reader(like: self)
            var read: T?
            try reader.text(&read, format, invalid: nil)
            if let read { values.append(read) }
            next = child.nextSibling(name, prefixes)
        }
    }

    package mutating func fragment(_ name: StaticString, _ value: inout XMLFragment?, level: Int) {
        value = element.firstChild(name, prefixes).map { XMLFragment(text: $0.dump(level: level)) }
    }

    package mutating func namespace(_ prefix: StaticString, _ uri: StaticString, used: Bool) {
        prefixes.append((prefix, uri))
    }

    package mutating func blankLine() {}

    func inherit(_ element: XMLNode) -> ElementReader {
        var reader = ElementReader(element, flags: flags)
        reader.prefixes = prefixes
        return reader
    }
}

extension XMLNode {
    fileprivate func reader(like parent: ElementReader) -> ElementReader { parent.inherit(self) }
}
