public import VirtCore

/// Sizes with a unit: `<memory unit='GiB'>2</memory>`.
@usableFromInline
package enum ScaledSize {
    /// A size in bytes from a number and a unit; without a unit the number counts `scale` bytes.
    /// KB, MB, ... are powers of 1000; K, KiB, M, MiB, ... of 1024; "b", "byte", "bytes" one.
    @usableFromInline
    package static func bytes(
        _ number: UInt64, unit: String?, scale: UInt64, limit: UInt64 = .max
    ) throws(VirtError) -> UInt64 {
        let factor: UInt64
        if let unit, !unit.isEmpty {
            guard let known = multiplier(unit) else { throw VirtError(.invalidArg, .none, "unknown suffix '\(unit)'") }
            factor = known
        } else {
            factor = scale
        }
        let result = number.multipliedReportingOverflow(by: factor)
        guard !result.overflow, result.partialValue <= limit else {
            throw VirtError(.overflow, .none, "value too large: \(number)\(unit ?? "")")
        }
        return result.partialValue
    }

    /// The bytes in one unit; nil for an unknown word.
    @usableFromInline
    package static func multiplier(_ unit: String) -> UInt64? {
        let word = unit.lowercased()
        if word == "b" || word == "byte" || word == "bytes" { return 1 }
        guard let letter = word.utf8.first, let power = "kmgtpe".utf8.firstIndex(of: letter) else { return nil }
        let exponent = "kmgtpe".utf8.distance(from: "kmgtpe".utf8.startIndex, to: power) + 1
        let base: UInt64
        switch word.dropFirst() {
        case "", "ib": base = 1024
        case "b": base = 1000
        default: return nil
        }
        return (0..<exponent).reduce(1) { result, _ in result &* base }
    }
}

extension ElementMapper {
    /// A child with a size in KiB, read with any unit (rounded up) and printed with `unit='KiB'`.
    @inlinable
    package mutating func sizeElement(_ name: StaticString, kibibytes value: inout UInt64?) throws {
        if isWriting, value == nil { return }
        try group(name) { try $0.size(kibibytes: &value) }
    }

    /// A child with a size in bytes, printed with `unit='bytes'`.
    @inlinable
    package mutating func sizeElement(_ name: StaticString, bytes value: inout UInt64?) throws {
        if isWriting, value == nil { return }
        try group(name) { try $0.size(bytes: &value) }
    }

    /// The element's own text and unit, in KiB.
    @inlinable
    package mutating func size(kibibytes value: inout UInt64?) throws {
        if isWriting, value == nil { return }
        try size(scale: 1024, unit: "KiB", &value)
    }

    /// The element's own text and unit, in bytes.
    @inlinable
    package mutating func size(bytes value: inout UInt64?) throws {
        if isWriting, value == nil { return }
        try size(scale: 1, unit: "bytes", &value)
    }

    /// The element's own text and its unit; `value` counts `scale` bytes, which is also what a missing unit means.
    @inlinable
    package mutating func size(scale: UInt64, unit printed: String, _ value: inout UInt64?) throws {
        if isWriting, value == nil { return }
        var unit: String? = isReading ? nil : printed
        try attribute("unit", &unit)
        try text(&value)
        guard isReading, let number = value else { return }
        let bytes = try ScaledSize.bytes(number, unit: unit, scale: scale)
        value = bytes / scale + (bytes % scale == 0 ? 0 : 1)
    }
}
