import VirtCore

/// A value that is the text of an attribute or an element.
@usableFromInline
package protocol XMLValue: Equatable {
    /// Reads the text; nil when it is not one of the type's values.
    init?(xml text: String, format: XMLFormat)
    /// The text to print, not escaped.
    func xml(format: XMLFormat) -> String
    /// Prints the text, escaped.
    func print(to writer: inout ElementWriter, format: XMLFormat)
    /// What libvirt's error adds about the values it wanted, starting with a period, or nothing.
    static func expectation(format: XMLFormat) -> String
    /// libvirt's own error for a text that is none of the type's values, wherever it stands; nil for the usual one.
    static var invalid: InvalidValue? { get }
}

extension XMLValue {
    @inlinable
    package static func expectation(format: XMLFormat) -> String { "." }

    @inlinable
    package func print(to writer: inout ElementWriter, format: XMLFormat) { writer.escape(xml(format: format)) }

    @inlinable
    package static var invalid: InvalidValue? { nil }
}

extension String: XMLValue {
    @inlinable
    package init?(xml text: String, format: XMLFormat) { self = text }
    @inlinable
    package func xml(format: XMLFormat) -> String { self }
}

extension XMLValue where Self: RawRepresentable, RawValue == String {
    @inlinable
    package init?(xml text: String, format: XMLFormat) { self.init(rawValue: text) }
    @inlinable
    package func xml(format: XMLFormat) -> String { rawValue }
}

/// An enumeration whose raw values are libvirt's words.
@usableFromInline
package protocol XMLEnum: XMLValue, RawRepresentable, Sendable, Hashable where RawValue == String {}

extension Bool: XMLValue {
    @usableFromInline
    package init?(xml text: String, format: XMLFormat) {
        switch (format, text) {
        case (.onOff, "on"): self = true
        case (.onOff, "off"): self = false
        case (.onOff, _): return nil
        case (_, "yes"): self = true
        case (_, "no"): self = false
        default: return nil
        }
    }

    @usableFromInline
    package func xml(format: XMLFormat) -> String {
        if format == .onOff { return self ? "on" : "off" }
        return self ? "yes" : "no"
    }
}

extension UUID: XMLValue {
    @usableFromInline
    package init?(xml text: String, format: XMLFormat) { self.init(parsing: text) }
    @usableFromInline
    package func xml(format: XMLFormat) -> String { description }
}

/// The integer types take what C's strtol takes in the base that the format says; no sign for unsigned ones.
@usableFromInline
package protocol XMLInteger: XMLValue, FixedWidthInteger {}

extension XMLInteger {
    @usableFromInline
    package init?(xml text: String, format: XMLFormat) {
        var text = text
        if case .octal = format, !text.hasPrefix("0") { text = "0" + text }
        guard let value: Self = IntegerText.parse(text, anyBase: format.readsAnyBase) else { return nil }
        self = value
    }

    @usableFromInline
    package func xml(format: XMLFormat) -> String {
        var text = TextBuffer(capacity: 32)
        text.append(self, format)
        return text.text
    }

    @usableFromInline
    package func print(to writer: inout ElementWriter, format: XMLFormat) { writer.put(self, format) }

    @usableFromInline
    package static func expectation(format: XMLFormat) -> String {
        isSigned ? ". Expected integer value" : ". Expected non-negative integer value"
    }
}

extension Int: XMLInteger {}
extension Int8: XMLInteger {}
extension Int16: XMLInteger {}
extension Int32: XMLInteger {}
extension Int64: XMLInteger {}
extension UInt: XMLInteger {}
extension UInt8: XMLInteger {}
extension UInt16: XMLInteger {}
extension UInt32: XMLInteger {}
extension UInt64: XMLInteger {}

extension XMLFormat {
    /// Whether hexadecimal and octal numbers are read.
    var readsAnyBase: Bool {
        switch self {
        case .hex, .upperHex, .octal, .anyBase: true
        case .plain, .onOff: false
        }
    }
}

/// Numbers in text, as C's strtol family reads them, without its overflows.
package enum IntegerText {
    /// Reads the whole of a text; nil for anything else and for what does not fit.
    package static func parse<T: FixedWidthInteger>(_ text: String, anyBase: Bool = false) -> T? {
        let bytes = text.utf8.span
        var index = 0
        while index < bytes.count, bytes[index] == 0x20 || (0x09...0x0D).contains(bytes[index]) { index += 1 }
        var isNegative = false
        if index < bytes.count, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
            isNegative = bytes[index] == UInt8(ascii: "-")
            index += 1
        }
        if isNegative, !T.isSigned { return nil }
        let base: T = anyBase ? base(bytes, &index) : 10
        guard index < bytes.count else { return nil }
        var value: T = 0
        while index < bytes.count {
            guard let digit = digit(bytes[index]), digit < base else { return nil }
            let scaled = value.multipliedReportingOverflow(by: base)
            let signed = T(truncatingIfNeeded: digit)
            let sum =
                isNegative
                ? scaled.partialValue.subtractingReportingOverflow(signed)
                : scaled.partialValue.addingReportingOverflow(signed)
            if scaled.overflow || sum.overflow { return nil }
            value = sum.partialValue
            index += 1
        }
        return value
    }

    /// The base that the prefix says; `index` moves behind that of hexadecimal numbers.
    private static func base<T: FixedWidthInteger>(_ bytes: Span<UInt8>, _ index: inout Int) -> T {
        guard index + 1 < bytes.count, bytes[index] == UInt8(ascii: "0") else { return 10 }
        if bytes[index + 1] | 0x20 == UInt8(ascii: "x") {
            index += 2
            return 16
        }
        // The zero stays: it is a number by itself.
        return 8
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
