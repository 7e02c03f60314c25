/// A 128-bit identifier of a domain, network, pool, secret, ... as libvirt reads and prints it.
package struct UUID: Hashable, Sendable {
    /// The first eight bytes, the first one most significant.
    package let high: UInt64
    /// The last eight bytes.
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// All bytes zero.
    package static let zero = UUID(high: 0, low: 0)

    /// Takes exactly 16 bytes.
    package init?(bytes: some Sequence<UInt8>) {
        var words: (UInt64, UInt64) = (0, 0)
        var count = 0
        for byte in bytes {
            guard count < 16 else { return nil }
            if count < 8 {
                words.0 = words.0 << 8 | UInt64(byte)
            } else {
                words.1 = words.1 << 8 | UInt64(byte)
            }
            count += 1
        }
        guard count == 16 else { return nil }
        self.init(high: words.0, low: words.1)
    }

    /// Reads a UUID as libvirt does: white space around it is ignored, dashes may stand anywhere between bytes
    /// or be missing, digits of either case.
    package init?(parsing text: some StringProtocol) { self.init(parsing: String(text)) }

    package init?(parsing text: String) {
        var words: (high: UInt64, low: UInt64) = (0, 0)
        var count = 0
        for byte in text.utf8.drop(while: isSpace) {
            if count == 32 {
                guard isSpace(byte) else { return nil }
                continue
            }
            // Dashes stand between bytes, not within one.
            if byte == UInt8(ascii: "-"), count % 2 == 0 { continue }
            guard let digit = hexValue(byte) else { return nil }
            if count < 16 {
                words.high = words.high << 4 | UInt64(digit)
            } else {
                words.low = words.low << 4 | UInt64(digit)
            }
            count += 1
        }
        guard count == 32 else { return nil }
        self.init(high: words.high, low: words.low)
    }

    /// A new random UUID (version 4).
    package static func random() -> UUID {
        var generator = SystemRandomNumberGenerator()
        let high = generator.next() & ~0xF000 | 0x4000
        let low = generator.next() & ~(0b11 << 62) | (0b10 << 62)
        return UUID(high: high, low: low)
    }

    /// The 16 bytes in order.
    package var bytes: [UInt8] {
        (0..<16).map { index in
            let word = index < 8 ? high : low
            return UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64(index & 7)))
        }
    }

    /// False for what libvirt refuses as a host UUID: sixteen times the same byte.
    package var isPlausible: Bool {
        high != low || bytes.contains { $0 != bytes[0] }
    }
}

extension UUID: CustomStringConvertible, LosslessStringConvertible {
    /// Lower case, with dashes: `043191c9-6d81-4e91-b185-53d3620e2cfd`.
    package var description: String {
        unsafe String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for index in 0..<16 {
                if index == 4 || index == 6 || index == 8 || index == 10 {
                    unsafe buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let byte = UInt8(truncatingIfNeeded: (index < 8 ? high : low) >> (56 - 8 * UInt64(index & 7)))
                unsafe buffer[position] = hexDigit(byte >> 4)
                unsafe buffer[position + 1] = hexDigit(byte & 15)
                position += 2
            }
            return position
        }
    }

    package init?(_ description: String) { self.init(parsing: description) }
}

/// ASCII white space as C's isspace in the C locale.
func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
}

func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

func hexDigit(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}
