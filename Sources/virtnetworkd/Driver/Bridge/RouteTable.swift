import VirtCore
import VirtModel

/// The host's IPv4 routes as /proc/net/route lists them: a network must not take addresses that have a route.
struct RouteTable: Equatable, Sendable {
    struct Entry: Equatable, Sendable {
        var interface: String
        var address: [UInt8]
        var mask: [UInt8]
    }

    var entries: [Entry] = []

    /// Reads the file's text; lines of another shape are skipped.
    init(_ text: String) {
        let lines = text.split(separator: "\n")
        guard lines.first?.hasPrefix("Iface") == true else { return }
        for line in lines.dropFirst() {
            let words = line.split { $0 == "\t" || $0 == " " }
            guard words.count > 7, let address = Self.bytes(words[1]), let mask = Self.bytes(words[7]) else { continue }
            entries.append(
                Entry(interface: String(words[0]), address: zip(address, mask).map { $0 & $1 }, mask: mask))
        }
    }

    /// Eight hexadecimal digits of a number in the host's byte order.
    private static func bytes(_ text: Substring) -> [UInt8]? {
        guard let value = UInt32(text, radix: 16) else { return nil }
        return unsafe withUnsafeBytes(of: value) { unsafe Array($0) }
    }

    /// The devices that have routes from router announcements, given /proc/net/ipv6_route.
    static func announced(_ text: String) -> [String] {
        var names: [String] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            // RTF_ADDRCONF: the kernel made the route of what a router said.
            guard words.count == 10, let flags = UInt32(words[8], radix: 16), flags & 0x0004_0000 != 0 else { continue }
            let name = String(words[9])
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// Refuses a network one of whose addresses or routes the host has a route for.
    func check(_ network: Network) throws(VirtError) {
        for entry in entries {
            for ip in network.addresses where ip.address.isIPv4 {
                if matches(entry, ip.address, ip.prefix) {
                    throw VirtError(
                        .internalError, .network, "Network is already in use by interface \(entry.interface)")
                }
            }
            for route in network.routes where route.address.isIPv4 && matches(entry, route.address, route.prefix) {
                throw VirtError(
                    .internalError, .network,
                    "Route address '\(route.address)' conflicts with IP address for '\(entry.interface)'")
            }
        }
    }

    private func matches(_ entry: Entry, _ address: IPAddress, _ prefix: Int?) -> Bool {
        guard let prefix, let mask = IPAddress.netmask(prefix: prefix, .ipv4) else { return false }
        return address.network(prefix: prefix)?.bytes == entry.address && mask.bytes == entry.mask
    }
}
