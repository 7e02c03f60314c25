package import VirtXML

/// An Ethernet address.
package struct MACAddress: Hashable, Sendable {
    /// Six bytes.
    package let bytes: [UInt8]

    /// Takes six bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 6 else { return nil }
        self.bytes = bytes
    }

    /// Reads six hexadecimal numbers with colons between them, one or two digits each.
    package init?(parsing text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...2).contains(part.count), part.allSatisfy(Self.isHexDigit),
                let byte = UInt8(String(decoding: part, as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(byte)
        }
        self.bytes = bytes
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    /// A random address with QEMU's and libvirt's prefix for devices of the KVM kind, 52:54:00.
    package static func random(prefix: [UInt8] = [0x52, 0x54, 0x00]) -> MACAddress {
        var bytes = Array(prefix.prefix(6))
        while bytes.count < 6 { bytes.append(UInt8.random(in: 0...255)) }
        return MACAddress(checked: bytes)
    }

    private init(checked bytes: [UInt8]) { self.bytes = bytes }

    /// Whether the address names a group of hosts.
    package var isMulticast: Bool { bytes[0] & 1 == 1 }
}

extension MACAddress: CustomStringConvertible {
    /// Lower case with colons.
    package var description: String {
        bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined(separator: ":")
    }
}

extension MACAddress: XMLValue {
    package init?(xml text: String, format: XMLFormat) { self.init(parsing: text) }
    package func xml(format: XMLFormat) -> String { description }
}
