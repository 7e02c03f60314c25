import VirtCore
import VirtModel

/// The rules of a network, in the order in which libvirt issues them.
enum FirewallRules {
    /// What a kernel without restrictions of its own would pass on to the outside with ports below 1024.
    static let standardPorts = Network.PortRange(start: 1024, end: 65535)

    static func rules(for network: Network) throws(VirtError) -> [FirewallRule] {
        guard network.hasFirewall, let bridge = network.bridge.name else { return [] }
        var rules = general(.ipv4, bridge, network) + generalIPv6(bridge, network)
        for ip in network.addresses { rules += try specific(ip, bridge, network) }
        if network.dhcpAddress(.ipv4) != nil {
            let match = ["--out-interface", bridge, "--protocol", "udp", "--destination-port", "68"]
            rules.append(
                FirewallRule(
                    .ipv4, .mangle, "LIBVIRT_PRT", match + ["--jump", "CHECKSUM", "--checksum-fill"],
                    isOptional: true))
        }
        return rules
    }

    private static func general(_ layer: FirewallRule.Layer, _ bridge: String, _ network: Network) -> [FirewallRule] {
        var rules = [
            input(layer, bridge, "tcp", 67), input(layer, bridge, "udp", 67),
            output(layer, bridge, "tcp", 68), output(layer, bridge, "udp", 68),
        ]
        rules += names(layer, bridge)
        let server = network.addresses.first { $0.address.isIPv4 && ($0.hasDHCP || $0.tftpRoot != nil) }
        if server?.tftpRoot != nil { rules += [input(layer, bridge, "udp", 69), output(layer, bridge, "udp", 69)] }
        return rules + fences(layer, bridge)
    }

    private static func generalIPv6(_ bridge: String, _ network: Network) -> [FirewallRule] {
        let hasAddress = network.has(.ipv6)
        guard hasAddress || network.allowsIPv6WithoutGateway else { return [] }
        guard hasAddress else { return fences(.ipv6, bridge) }
        let dhcp = [input(.ipv6, bridge, "udp", 547), output(.ipv6, bridge, "udp", 546)]
        return fences(.ipv6, bridge) + names(.ipv6, bridge) + dhcp
    }

    private static func names(_ layer: FirewallRule.Layer, _ bridge: String) -> [FirewallRule] {
        [
            input(layer, bridge, "tcp", 53), input(layer, bridge, "udp", 53),
            output(layer, bridge, "tcp", 53), output(layer, bridge, "udp", 53),
        ]
    }

    /// Nothing in or out, but between the guests of the bridge.
    private static func fences(_ layer: FirewallRule.Layer, _ bridge: String) -> [FirewallRule] {
        [
            FirewallRule(layer, "LIBVIRT_FWO", ["--in-interface", bridge, "--jump", "REJECT"]),
            FirewallRule(layer, "LIBVIRT_FWI", ["--out-interface", bridge, "--jump", "REJECT"]),
            FirewallRule(
                layer, "LIBVIRT_FWX", ["--in-interface", bridge, "--out-interface", bridge, "--jump", "ACCEPT"]),
        ]
    }

    private static func input(
        _ layer: FirewallRule.Layer, _ bridge: String, _ transport: String, _ port: Int
    ) -> FirewallRule {
        FirewallRule(layer, "LIBVIRT_INP", ["--in-interface", bridge] + service(transport, port))
    }

    private static func output(
        _ layer: FirewallRule.Layer, _ bridge: String, _ transport: String, _ port: Int
    ) -> FirewallRule {
        FirewallRule(layer, "LIBVIRT_OUT", ["--out-interface", bridge] + service(transport, port))
    }

    private static func service(_ transport: String, _ port: Int) -> [String] {
        ["--protocol", transport, "--destination-port", String(port), "--jump", "ACCEPT"]
    }
}

extension FirewallRules {
    private static func specific(
        _ ip: Network.IP, _ bridge: String, _ network: Network
    ) throws(VirtError)
        -> [FirewallRule]
    {
        guard let forward = network.forward else { return [] }
        let path = Path(bridge: bridge, device: forward.firstInterface, network: try ip.network(), ip: ip)
        switch forward.mode {
        case .nat where ip.address.isIPv4 || forward.nat?.ipv6 == true: return path.masqueraded(forward.nat)
        case .nat, .route: return path.routed
        case .open, .bridge, .private, .vepa, .passthrough, .hostdev: return []
        }
    }

    /// The way between an address of the bridge and the outside.
    private struct Path {
        let bridge: String
        let device: String?
        /// The address of the network with its prefix.
        let network: String
        let ip: Network.IP

        private var layer: FirewallRule.Layer { ip.address.isIPv4 ? .ipv4 : .ipv6 }
        private var toDevice: [String] { device.map { ["--out-interface", $0] } ?? [] }
        private var fromDevice: [String] { device.map { ["--in-interface", $0] } ?? [] }

        private var out: FirewallRule {
            FirewallRule(
                layer, "LIBVIRT_FWO",
                ["--source", network, "--in-interface", bridge] + toDevice + ["--jump", "ACCEPT"])
        }

        private func back(_ state: [String]) -> FirewallRule {
            FirewallRule(
                layer, "LIBVIRT_FWI",
                ["--destination", network] + fromDevice + ["--out-interface", bridge] + state + ["--jump", "ACCEPT"])
        }

        var routed: [FirewallRule] { [out, back([])] }

        func masqueraded(_ nat: Network.NAT?) -> [FirewallRule] {
            let related = ["--match", "conntrack", "--ctstate", "ESTABLISHED,RELATED"]
            var rules = [out, back(related), translate(nil, nat), translate("udp", nat), translate("tcp", nat)]
            if ip.address.isIPv4 { rules.append(spare("255.255.255.255/32")) }
            rules.append(spare(ip.address.isIPv4 ? "224.0.0.0/24" : "ff02::/16"))
            return rules
        }

        private func translate(_ transport: String?, _ nat: Network.NAT?) -> FirewallRule {
            let ports = nat?.ports ?? FirewallRules.standardPorts
            let portText = transport == nil ? nil : "\(ports.start)-\(ports.end)"
            var words = ["--source", network] + (transport.map { ["-p", $0] } ?? [])
            words += ["!", "--destination", network] + toDevice
            if let range = nat?.range, ip.address.isIPv4 {
                let ends = range.start == range.end ? "\(range.start)" : "\(range.start)-\(range.end)"
                words += ["--jump", "SNAT", "--to-source", ends + (portText.map { ":" + $0 } ?? "")]
            } else {
                words += ["--jump", "MASQUERADE"] + (portText.map { ["--to-ports", $0] } ?? [])
            }
            return FirewallRule(layer, .nat, "LIBVIRT_PRT", words)
        }

        private func spare(_ destination: String) -> FirewallRule {
            FirewallRule(
                layer, .nat, "LIBVIRT_PRT",
                ["--source", network, "--destination", destination] + toDevice + ["--jump", "RETURN"])
        }
    }
}
