import VirtCore

/// A value that is the text of an attribute or an element.
@usableFromInline
package protocol XMLValue: Equatable {
    /// Reads the text; nil when it is not one of the type's values.
    init?(xml text: String, format: XMLFormat)
    /// The text to print, not escaped.
    func xml(format: XMLFormat) -> String
    /// What libvirt's error adds about the values it wanted, starting with a period, or nothing.
    static func expectation(format: XMLFormat) -> String
    /// libvirt's own error for a text that is none of the type's values, wherever it stands; nil for the usual one.
    static var invalid: InvalidValue? { get }
}

extension XMLValue {
    @inlinable
    package static func expectation(format: XMLFormat) -> String { "." }
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
        switch format {
        case .plain, .onOff, .anyBase: String(self)
        case .hex(let width): IntegerText.print(self, bits: 4, width: width, prefix: "0x") ?? String(self)
        case .upperHex(let width):
            IntegerText.print(self, bits: 4, width: width, prefix: "0x", letters: UInt8(ascii: "A")) ?? String(self)
        case .octal(let width): IntegerText.print(self, bits: 3, width: width, prefix: "") ?? String(self)
        }
    }

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
    /// A number in base 8 or 16 (3 or 4 bits a digit) with at least `width` digits; nil for a negative one.
    static func print<T: FixedWidthInteger>(
        _ value: T, bits: Int, width: Int, prefix: StaticString, letters: UInt8 = UInt8(ascii: "a")
    ) -> String? {
        guard value >= 0, width <= T.bitWidth else { return nil }
        let used = (T.bitWidth - value.leadingZeroBitCount + bits - 1) / bits
        let digits = max(1, width, used)
        let start = prefix.utf8CodeUnitCount
        return unsafe String(unsafeUninitializedCapacity: start + digits) { buffer in
            for index in 0..<start { unsafe buffer[index] = prefix.utf8Start[index] }
            for index in 0..<digits {
                let shift = bits * (digits - 1 - index)
                let digit = shift < T.bitWidth ? UInt8(truncatingIfNeeded: value >> shift) & (1 << bits - 1) : 0
                unsafe buffer[start + index] = digit < 10 ? UInt8(ascii: "0") + digit : letters + digit - 10
            }
            return start + digits
        }
    }

    /// Reads the whole of a text; nil for anything else and for what does not fit.
    package static func parse<T: FixedWidthInteger>(_ text: String, anyBase: Bool = false) -> T? {
        var bytes = Substring(text).utf8.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
        var negative = false
        if bytes.first == UInt8(ascii: "-") {
            guard T.isSigned else { return nil }
            negative = true
            bytes = bytes.dropFirst()
        } else if bytes.first == UInt8(ascii: "+") {
            bytes = bytes.dropFirst()
        }
        let base: T = anyBase ? dropBasePrefix(&bytes) : 10
        guard !bytes.isEmpty else { return nil }
        var value: T = 0
        for byte in bytes {
            guard let digit = digit(byte), digit < base else { return nil }
            let scaled = value.multipliedReportingOverflow(by: base)
            let signed = T(truncatingIfNeeded: digit)
            let sum =
                negative
                ? scaled.partialValue.subtractingReportingOverflow(signed)
                : scaled.partialValue.addingReportingOverflow(signed)
            if scaled.overflow || sum.overflow { return nil }
            value = sum.partialValue
        }
        return value
    }

    private static func dropBasePrefix<T: FixedWidthInteger>(_ bytes: inout Substring.UTF8View) -> T {
        guard bytes.first == UInt8(ascii: "0"), let second = bytes.dropFirst().first else { return 10 }
        if second | 0x20 == UInt8(ascii: "x") {
            bytes = bytes.dropFirst(2)
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
