public import VirtCore

/// Prints values as libvirt does: two spaces per level, attributes in single quotes, empty elements closed at once.
@usableFromInline
package struct ElementWriter: ElementMapper {
    @usableFromInline package let flags: MappingFlags
    @usableFromInline var buffer = TextBuffer(capacity: 8192)
    @usableFromInline var depth: Int
    /// The start tag of the innermost element is still open for attributes.
    @usableFromInline var inTag = false
    /// The innermost element has text, so that its end tag follows at once.
    @usableFromInline var hasText = false

    @inlinable
    package var isReading: Bool { false }
    @inlinable
    package var node: XMLNode? { nil }

    @inlinable
    package init(flags: MappingFlags = [], depth: Int = 0) {
        self.flags = flags
        self.depth = depth
    }

    /// A whole document, or a part of one `depth` levels deep, with the line end after it.
    @inlinable
    package static func document<T: XMLMappable>(
        _ name: StaticString, _ value: T, flags: MappingFlags = [], depth: Int = 0
    ) throws -> String {
        var writer = ElementWriter(flags: flags, depth: depth)
        var copy = value
        writer.open(name)
        try copy.map(&writer)
        writer.close(name)
        return writer.text
    }

    /// What was printed so far.
    @inlinable
    package var text: String { buffer.text }
    package var bytes: [UInt8] { buffer.bytes }

    @inlinable
    package mutating func attribute<T: XMLValue>(
        _ name: StaticString, _ value: inout T?, _ format: XMLFormat, invalid: InvalidValue?
    ) throws(VirtError) {
        guard let value else { return }
        assert(inTag, "attribute \(name) after a child")
        beginAttribute(name)
        value.print(to: &self, format: format)
        buffer.append(UInt8(ascii: "'"))
    }

    @inlinable
    package mutating func text<T: XMLValue>(
        _ value: inout T?, _ format: XMLFormat, invalid: InvalidValue?
    ) throws(VirtError) {
        guard let value else { return }
        if inTag { put(">") }
        inTag = false
        hasText = true
        value.print(to: &self, format: format)
    }

    @inlinable
    package mutating func group(
        _ name: StaticString, always: Bool, _ body: (inout ElementWriter) throws -> Void
    ) throws {
        let mark = buffer.count
        let tagBefore = inTag
        open(name)
        let start = buffer.count
        try body(&self)
        if buffer.count == start && !always {
            buffer.truncate(to: mark)
            depth -= 1
            inTag = tagBefore
            return
        }
        close(name)
    }

    @inlinable
    package mutating func element<T: XMLMappable>(_ name: StaticString, _ value: inout T?) throws {
        guard var copy = value else { return }
        open(name)
        try copy.map(&self)
        close(name)
    }

    @inlinable
    package mutating func elements<T: XMLMappable>(_ name: StaticString, _ values: inout [T]) throws {
        for var value in values {
            open(name)
            try value.map(&self)
            close(name)
        }
    }

    @inlinable
    package mutating func choices<T: XMLChoice>(_ values: inout [T]) throws {
        for var value in values {
            let name = value.elementName
            open(name)
            try value.map(&self)
            close(name)
        }
    }

    @inlinable
    package mutating func textElements<T: XMLValue>(
        _ name: StaticString, _ values: inout [T], _ format: XMLFormat
    ) throws {
        for value in values {
            var text: T? = value
            open(name)
            try self.text(&text, format, invalid: nil)
            close(name)
        }
    }

    @inlinable
    package mutating func fragment(_ name: StaticString, _ value: inout XMLFragment?, level: Int) {
        guard let value else { return }
        appendFragment(value.text)
    }

    @inlinable
    package mutating func namespace(_ prefix: StaticString, _ uri: StaticString, used: Bool) {
        guard used, inTag else { return }
        put(" xmlns:")
        put(prefix)
        put("='")
        put(uri)
        put("'")
    }

    @inlinable
    package mutating func blankLine() {
        if inTag { put(">\n") }
        inTag = false
        put("\n")
    }

    @usableFromInline
    mutating func appendFragment(_ text: String) {
        unsafe text.utf8.span.withUnsafeBufferPointer {
            unsafe buffer.appendTag(inTag ? ">\n" : "", levels: depth, "", $0, "\n")
        }
        inTag = false
        hasText = false
    }

    @usableFromInline
    mutating func open(_ name: StaticString) { name.withUTF8Buffer { unsafe open($0) } }

    @usableFromInline
    mutating func open(_ name: String) { unsafe name.utf8.span.withUnsafeBufferPointer { unsafe open($0) } }

    private mutating func open(_ name: UnsafeBufferPointer<UInt8>) {
        unsafe buffer.appendTag(inTag ? ">\n" : "", levels: depth, "<", name, "")
        depth += 1
        inTag = true
        hasText = false
    }

    @usableFromInline
    mutating func close(_ name: StaticString) { name.withUTF8Buffer { unsafe close($0) } }

    @usableFromInline
    mutating func close(_ name: String) { unsafe name.utf8.span.withUnsafeBufferPointer { unsafe close($0) } }

    /// An element that is empty is closed at once.
    private mutating func close(_ name: UnsafeBufferPointer<UInt8>) {
        depth -= 1
        if inTag {
            put("/>\n")
        } else {
            unsafe buffer.appendTag("", levels: hasText ? 0 : depth, "</", name, ">\n")
        }
        inTag = false
        hasText = false
    }

    @usableFromInline
    mutating func beginAttribute(_ name: StaticString) { buffer.beginAttribute(name) }

    @usableFromInline
    mutating func put(_ text: StaticString) { buffer.append(text) }

    /// A number, which needs no escapes.
    mutating func put(_ value: some FixedWidthInteger, _ format: XMLFormat) { buffer.append(value, format) }

    /// libvirt's escapes, in attributes and text alike; control characters that XML does not know are dropped.
    @usableFromInline
    mutating func escape(_ text: String) {
        unsafe text.utf8.span.withUnsafeBufferPointer { bytes in
            if unsafe !bytes.contains(where: Self.needsCare) {
                unsafe buffer.append(bytes)
                return
            }
            for index in bytes.indices { escape(unsafe bytes[index]) }
        }
    }

    @usableFromInline
    mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "<"): put("&lt;")
        case UInt8(ascii: ">"): put("&gt;")
        case UInt8(ascii: "&"): put("&amp;")
        case UInt8(ascii: "'"): put("&apos;")
        case UInt8(ascii: "\""): put("&quot;")
        case 0x09, 0x0A, 0x0D, 0x20...: buffer.append(byte)
        default: break
        }
    }

    private static func needsCare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "\""): true
        default: byte < 0x20
        }
    }
}
