#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A DHCP lease as the lease file of a bridge (`BRIDGE.status`, a JSON array) keeps it.
package struct DHCPLease: Equatable, Sendable {
    package var iaid: String?
    package var ipAddress: String
    package var macAddress: String?
    package var hostname: String?
    package var clientID: String?
    package var serverDUID: String?
    /// Seconds since the epoch; 0: never.
    package var expiryTime: Int64

    package init(
        iaid: String? = nil, ipAddress: String, macAddress: String?, hostname: String? = nil, clientID: String? = nil,
        serverDUID: String? = nil, expiryTime: Int64
    ) {
        self.iaid = iaid
        self.ipAddress = ipAddress
        self.macAddress = macAddress
        self.hostname = hostname
        self.clientID = clientID
        self.serverDUID = serverDUID
        self.expiryTime = expiryTime
    }

    package var isIPv6: Bool { ipAddress.contains(":") }
}

extension DHCPLease: Codable {
    private enum CodingKeys: String, CodingKey {
        case iaid
        case ipAddress = "ip-address"
        case macAddress = "mac-address"
        case hostname
        case clientID = "client-id"
        case serverDUID = "server-duid"
        case expiryTime = "expiry-time"
    }
}

/// The lease file: what dnsmasq's helper writes and the daemon (and the host's NSS module) reads.
package enum LeaseFile {
    /// More is not read.
    package static let largestSize = 32 << 20

    /// Reads the file's bytes; an empty file has no leases. Throws when it is no array of leases.
    package static func parse(_ bytes: [UInt8]) throws -> [DHCPLease] {
        guard bytes.contains(where: { $0 > 0x20 }) else { return [] }
        return try JSONDecoder().decode([DHCPLease].self, from: Data(bytes))
    }

    /// The file's text, in the layout that C libvirt writes.
    package static func text(_ leases: [DHCPLease]) -> String {
        if leases.isEmpty { return "[\n\n]\n" }
        return "[\n" + leases.map(Self.text).joined(separator: ",\n") + "\n]\n"
    }

    private static func text(_ lease: DHCPLease) -> String {
        let texts: [(String, String?)] = [
            ("iaid", lease.iaid), ("ip-address", lease.ipAddress), ("mac-address", lease.macAddress),
            ("hostname", lease.hostname), ("client-id", lease.clientID), ("server-duid", lease.serverDUID),
        ]
        var lines = texts.compactMap { name, value in value.map { "    \"\(name)\": \(JSONText.quoted($0))" } }
        lines.append("    \"expiry-time\": \(lease.expiryTime)")
        return "  {\n" + lines.joined(separator: ",\n") + "\n  }"
    }
}

/// JSON's strings.
package enum JSONText {
    /// The text in quotes, with the escapes that JSON asks for.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
