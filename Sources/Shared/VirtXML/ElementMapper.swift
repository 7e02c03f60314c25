public import VirtCore

/// A type that is one XML element: a single function names its attributes and children, in the order in which libvirt
/// prints them. A reader runs it to fill the value in, a writer runs the same function to print it.
@usableFromInline
package protocol XMLMappable {
    init()
    mutating func map<M: ElementMapper>(_ x: inout M) throws
}

/// One of several element types under the same parent, kept in document order.
@usableFromInline
package protocol XMLChoice {
    /// The empty value for an element's name; nil for a name that is not one of the choices.
    static func make(elementName: String) -> Self?
    var elementName: String { get }
    mutating func map<M: ElementMapper>(_ x: inout M) throws
}

/// One element while it is read or printed.
///
/// Values that are missing from a document are left as they are when read (defaults are the model's initial values);
/// optional values that are nil are not printed. Attributes come before children.
@usableFromInline
package protocol ElementMapper {
    /// True while a document is read.
    var isReading: Bool { get }
    /// What the document is read from or printed for.
    var flags: MappingFlags { get }
    /// The element that is read, for what has no mapping; nil while printing.
    var node: XMLNode? { get }

    // The primitives; use the conveniences below where they say more.

    mutating func attribute<T: XMLValue>(
        _ name: StaticString, _ value: inout T?, _ format: XMLFormat, invalid: InvalidValue?) throws(VirtError)
    mutating func text<T: XMLValue>(_ value: inout T?, _ format: XMLFormat, invalid: InvalidValue?) throws(VirtError)
    /// A child element. Read: when it is there. Printed: when `body` puts something in, or `always` says so.
    mutating func group(_ name: StaticString, always: Bool, _ body: (inout Self) throws -> Void) throws
    /// An optional child, printed when it is not nil, even if it is empty.
    mutating func element<T: XMLMappable>(_ name: StaticString, _ value: inout T?) throws
    /// All children of that name, in document order.
    mutating func elements<T: XMLMappable>(_ name: StaticString, _ values: inout [T]) throws
    /// All children of a set of types, in document order.
    mutating func choices<T: XMLChoice>(_ values: inout [T]) throws
    /// The text of all children of that name.
    mutating func textElements<T: XMLValue>(_ name: StaticString, _ values: inout [T], _ format: XMLFormat) throws
    /// A child that is kept as it is.
    mutating func fragment(_ name: StaticString, _ value: inout XMLFragment?, level: Int)
    /// Announces a prefix for the names of attributes and children in and below this element; printed when `used`.
    mutating func namespace(_ prefix: StaticString, _ uri: StaticString, used: Bool)
    /// An empty line between children, where libvirt prints one.
    mutating func blankLine()
}

extension ElementMapper {
    @inlinable
    package var isWriting: Bool { !isReading }

    /// An attribute that is printed when it is not nil.
    @inlinable
    package mutating func attribute<T: XMLValue>(_ name: StaticString, _ value: inout T?) throws(VirtError) {
        try attribute(name, &value, .plain, invalid: nil)
    }

    @inlinable
    package mutating func attribute<T: XMLValue>(
        _ name: StaticString, _ value: inout T?, _ format: XMLFormat
    ) throws(VirtError) {
        try attribute(name, &value, format, invalid: nil)
    }

    @inlinable
    package mutating func attribute<T: XMLValue>(
        _ name: StaticString, _ value: inout T?, invalid: InvalidValue
    ) throws(VirtError) {
        try attribute(name, &value, .plain, invalid: invalid)
    }

    /// An attribute that is always printed; missing from a document, the value stays.
    @inlinable
    package mutating func attribute<T: XMLValue>(
        _ name: StaticString, _ value: inout T, _ format: XMLFormat = .plain, invalid: InvalidValue? = nil
    ) throws(VirtError) {
        var read: T? = isReading ? nil : value
        try attribute(name, &read, format, invalid: invalid)
        if isReading, let read { value = read }
    }

    /// An attribute that is printed unless it has its default.
    @inlinable
    package mutating func attribute<T: XMLValue>(
        _ name: StaticString, _ value: inout T, default standard: T, _ format: XMLFormat = .plain,
        invalid: InvalidValue? = nil
    ) throws(VirtError) {
        var read: T? = isReading || value == standard ? nil : value
        try attribute(name, &read, format, invalid: invalid)
        if isReading { value = read ?? standard }
    }

    /// An attribute that a document must have.
    @inlinable
    package mutating func required<T: XMLValue>(
        _ name: StaticString, _ value: inout T, _ format: XMLFormat = .plain, invalid: InvalidValue? = nil,
        missing: @autoclosure () -> VirtError? = nil
    ) throws(VirtError) {
        var read: T? = isReading ? nil : value
        try attribute(name, &read, format, invalid: invalid)
        guard isReading else { return }
        guard let read else { throw missing() ?? .missingAttribute("\(name)", of: node?.name ?? "") }
        value = read
    }

    /// The element's own text, printed when it is not nil.
    @inlinable
    package mutating func text<T: XMLValue>(_ value: inout T?) throws(VirtError) {
        try text(&value, .plain, invalid: nil)
    }

    /// The element's own text.
    @inlinable
    package mutating func text<T: XMLValue>(_ value: inout T, _ format: XMLFormat = .plain) throws(VirtError) {
        var read: T? = isReading ? nil : value
        try text(&read, format, invalid: nil)
        if isReading, let read { value = read }
    }

    @inlinable
    package mutating func group(_ name: StaticString, _ body: (inout Self) throws -> Void) throws {
        try group(name, always: false, body)
    }

    /// A child that is printed unless it is empty; its type has defaults for all.
    @inlinable
    package mutating func element<T: XMLMappable>(_ name: StaticString, _ value: inout T, always: Bool = false) throws {
        try group(name, always: always) { try value.map(&$0) }
    }

    /// A child that is nothing but text.
    @inlinable
    package mutating func textElement<T: XMLValue>(
        _ name: StaticString, _ value: inout T?, _ format: XMLFormat = .plain, invalid: InvalidValue? = nil
    ) throws {
        if isWriting, value == nil { return }
        try group(name, always: true) { try $0.text(&value, format, invalid: invalid) }
    }

    /// A child that is nothing but text, always printed.
    @inlinable
    package mutating func textElement<T: XMLValue>(
        _ name: StaticString, _ value: inout T, _ format: XMLFormat = .plain, invalid: InvalidValue? = nil
    ) throws {
        var read: T? = isReading ? nil : value
        try textElement(name, &read, format, invalid: invalid)
        if isReading, let read { value = read }
    }

    /// A child that is nothing but text, printed unless it has its default.
    @inlinable
    package mutating func textElement<T: XMLValue>(
        _ name: StaticString, _ value: inout T, default standard: T, _ format: XMLFormat = .plain
    ) throws {
        var read: T? = isReading || value == standard ? nil : value
        try textElement(name, &read, format)
        if isReading { value = read ?? standard }
    }

    /// A child that says by being there.
    @inlinable
    package mutating func presence(_ name: StaticString, _ value: inout Bool) throws {
        if isWriting, !value { return }
        var found = false
        try group(name, always: true) { _ in found = true }
        if isReading { value = found }
    }

    @inlinable
    package mutating func textElements<T: XMLValue>(_ name: StaticString, _ values: inout [T]) throws {
        try textElements(name, &values, .plain)
    }

    /// A child whose one attribute is the value: `<timeout value='5'/>`.
    @inlinable
    package mutating func valueElement<T: XMLValue>(
        _ name: StaticString, _ attribute: StaticString, _ value: inout T?, _ format: XMLFormat = .plain,
        invalid: InvalidValue? = nil
    ) throws {
        if isWriting, value == nil { return }
        try group(name, always: false) { try $0.attribute(attribute, &value, format, invalid: invalid) }
    }
}
