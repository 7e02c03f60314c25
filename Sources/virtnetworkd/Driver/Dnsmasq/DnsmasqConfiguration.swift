import VirtCore
import VirtModel

/// The files that dnsmasq gets for a network, as libvirt writes them.
struct DnsmasqConfiguration: Equatable, Sendable {
    /// Where the files lie.
    struct Files: Equatable, Sendable {
        var configuration: String
        var processID: String
        var hosts: String
        var additionalHosts: String
    }

    /// dnsmasq.conf
    var configuration: String
    /// Addresses kept for guests (`dhcp-hostsfile`).
    var hosts: String
    /// Names of addresses (`addn-hosts`).
    var additionalHosts: String

    /// Nil: the network needs no dnsmasq.
    init?(_ network: Network, _ files: Files) throws(VirtError) {
        guard Self.isNeeded(for: network) else { return nil }
        var lines = Lines(network: network, files: files)
        try lines.build()
        configuration = Self.header(network.name) + lines.text
        hosts = Self.hosts(network)
        additionalHosts = Self.additionalHosts(network)
    }

    /// Whether there is an address, and something to serve on it.
    static func isNeeded(for network: Network) -> Bool {
        guard !network.addresses.isEmpty else { return false }
        return network.dns.isWanted || network.addresses.contains { $0.hasDHCP }
    }

    private static func header(_ name: String) -> String {
        """
        ##WARNING:  THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
        ##OVERWRITTEN AND LOST.  Changes to this configuration should be made using:
        ##    virsh net-edit \(name)
        ## or other application using the libvirt API.
        ##
        ## dnsmasq conf file created by libvirt

        """
    }

    /// The addresses kept for guests: those of the one IPv4 and the one IPv6 address with leases.
    static func hosts(_ network: Network) -> String {
        let addresses = [network.dhcpAddress(.ipv4), network.dhcpAddress(.ipv6)].compactMap { $0 }
        return addresses.flatMap { ip in ip.hosts.compactMap { line($0, ip.family) } }.joined()
    }

    private static func line(_ host: Network.DHCPHost, _ family: IPAddress.Family) -> String? {
        guard let ip = host.ip else { return nil }
        var words: [String]
        switch family {
        case .ipv6: words = [host.id.map { "id:\($0)" }, host.name, "[\(ip)]"].compactMap { $0 }
        case .ipv4:
            words = host.mac == nil ? [host.name ?? "", "\(ip)"] : [host.mac, "\(ip)", host.name].compactMap { $0 }
        }
        if let lease = host.lease { words.append(lease.dnsmasqText) }
        return words.joined(separator: ",").onOneLine + "\n"
    }

    /// One line per address with all of its names.
    static func additionalHosts(_ network: Network) -> String {
        var order: [IPAddress] = []
        var names: [IPAddress: [String]] = [:]
        for host in network.dns.hosts where !host.names.isEmpty {
            guard let ip = host.ip else { continue }
            if names[ip] == nil { order.append(ip) }
            names[ip, default: []] += host.names
        }
        return order.map { ip in "\(ip)\t" + (names[ip] ?? []).map { $0.onOneLine + "\t" }.joined() + "\n" }
            .joined()
    }
}

extension String {
    /// The text with spaces for line breaks, which would start a line of their own in dnsmasq's files.
    var onOneLine: String {
        guard utf8.contains(where: { $0 == 0x0A || $0 == 0x0D }) else { return self }
        return String(decoding: utf8.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }, as: UTF8.self)
    }
}
