import Glibc
package import VirtCore
package import VirtXML

/// An IPv4 or IPv6 address, as network and interface definitions write them.
package struct IPAddress: Hashable, Sendable {
    package enum Family: Sendable { case ipv4, ipv6 }

    /// Four or sixteen bytes in network order.
    package let bytes: [UInt8]

    package var family: Family { bytes.count == 4 ? .ipv4 : .ipv6 }
    package var isIPv4: Bool { bytes.count == 4 }

    /// Takes 4 or 16 bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// 0.0.0.0
    package static let unspecified = IPAddress(unchecked: [0, 0, 0, 0])

    private init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    /// Reads a numeric address; IPv4 also in the short forms that inet_aton knows.
    package init?(parsing text: String) {
        if text.contains(":") {
            var address = in6_addr()
            guard unsafe inet_pton(AF_INET6, text, &address) == 1 else { return nil }
            bytes = unsafe withUnsafeBytes(of: &address) { unsafe Array($0) }
            return
        }
        var address = in_addr()
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 }), unsafe inet_aton(text, &address) != 0 else {
            return nil
        }
        bytes = unsafe withUnsafeBytes(of: &address.s_addr) { unsafe Array($0) }
    }

    /// Reads an address or throws what libvirt reports for a bad one (code 38).
    package static func parse(_ text: String) throws(VirtError) -> IPAddress {
        if let address = IPAddress(parsing: text) { return address }
        throw VirtError(.systemError, .network, "Cannot parse socket address '\(text)': Name or service not known")
    }

    /// The netmask of a prefix length; nil when it is longer than the address.
    package static func netmask(prefix: Int, _ family: Family) -> IPAddress? {
        let count = family == .ipv4 ? 4 : 16
        guard prefix >= 0, prefix <= count * 8 else { return nil }
        return IPAddress(bytes: (0..<count).map { byteMask(prefix: prefix, index: $0) })
    }

    private static func byteMask(prefix: Int, index: Int) -> UInt8 {
        let bits = min(8, max(0, prefix - index * 8))
        return bits == 0 ? 0 : 0xFF << UInt8(8 - bits)
    }

    /// The address with the bits after the prefix cleared.
    package func network(prefix: Int) -> IPAddress? {
        guard prefix >= 0, prefix <= bytes.count * 8 else { return nil }
        return IPAddress(bytes: bytes.enumerated().map { $1 & Self.byteMask(prefix: prefix, index: $0) })
    }

    /// The address with the bits after the prefix set.
    package func broadcast(prefix: Int) -> IPAddress? {
        guard prefix >= 0, prefix <= bytes.count * 8 else { return nil }
        return IPAddress(bytes: bytes.enumerated().map { $1 | ~Self.byteMask(prefix: prefix, index: $0) })
    }

    /// The number of leading ones, when the address is a netmask.
    package var netmaskBits: Int? {
        var count = 0
        var ended = false
        for byte in bytes {
            if ended {
                if byte != 0 { return nil }
                continue
            }
            let ones = (~byte).leadingZeroBitCount
            count += ones
            ended = ones < 8
            if ones < 8, byte << UInt8(ones) != 0 { return nil }
        }
        return count
    }

    /// The prefix of the address class where nothing is given: 8, 16 or 24; 64 for IPv6.
    package var classPrefix: Int? {
        if bytes.allSatisfy({ $0 == 0 }) { return 0 }
        guard isIPv4 else { return 64 }
        return switch bytes[0] {
        case 0..<0x80: 8
        case 0x80..<0xC0: 16
        case 0xC0..<0xE0: 24
        default: nil
        }
    }

    /// The reverse-lookup domain of the network; nil where the prefix does not end at a label.
    package func reverseDomain(prefix: Int) -> String? {
        if isIPv4 {
            guard prefix > 0, prefix < 32, prefix % 8 == 0 else { return nil }
            return bytes.prefix(prefix / 8).reversed().map { "\($0)." }.joined() + "in-addr.arpa"
        }
        guard prefix > 0, prefix < 128, prefix % 4 == 0 else { return nil }
        let nibbles = bytes.flatMap { [$0 >> 4, $0 & 15] }
        return nibbles.prefix(prefix / 4).reversed().map { String($0, radix: 16) + "." }.joined() + "ip6.arpa"
    }
}

extension IPAddress: CustomStringConvertible {
    package var description: String {
        if isIPv4 { return bytes.map { String($0) }.joined(separator: ".") }
        var text = [CChar](repeating: 0, count: 64)
        var raw = bytes
        guard unsafe inet_ntop(AF_INET6, &raw, &text, socklen_t(text.count)) != nil else { return "" }
        return unsafe text.withUnsafeBufferPointer { unsafe $0.baseAddress.map { unsafe String(cString: $0) } ?? "" }
    }
}

extension IPAddress: XMLValue {
    package init?(xml text: String, format: XMLFormat) { self.init(parsing: text) }
    package func xml(format: XMLFormat) -> String { description }
}
