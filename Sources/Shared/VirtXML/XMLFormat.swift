/// How a value is written as text, where its type alone does not say it.
@usableFromInline
package enum XMLFormat: Sendable, Equatable {
    /// Decimal numbers, `yes`/`no` booleans, text as it is.
    case plain
    /// A number as `0x` and at least so many digits. Reads decimal, hexadecimal and octal.
    case hex(Int)
    /// The same with capital digits.
    case upperHex(Int)
    /// An octal number of at least so many digits, as file modes are written. Reads octal.
    case octal(Int)
    /// A decimal number that may also be read as hexadecimal or octal.
    case anyBase
    /// A boolean as `on`/`off`.
    case onOff
}

/// What a document is read from or printed for: libvirt's parse and format flags, as far as an element asks for them.
@usableFromInline
package struct MappingFlags: OptionSet, Sendable, Hashable {
    @usableFromInline package let rawValue: UInt32
    @usableFromInline
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The persistent definition: nothing that only a running object has.
    package static let inactive = MappingFlags(rawValue: 1 << 0)
    /// Passwords are included.
    package static let secure = MappingFlags(rawValue: 1 << 1)
    /// The guest CPU as the host fulfils it.
    package static let updateCPU = MappingFlags(rawValue: 1 << 2)
    /// For another host, maybe with an older libvirt.
    package static let migratable = MappingFlags(rawValue: 1 << 3)
    /// Part of a status document, with the driver's private data.
    package static let status = MappingFlags(rawValue: 1 << 4)
    /// The first bit that a model may use for itself.
    package static let firstOwn = 16
}
