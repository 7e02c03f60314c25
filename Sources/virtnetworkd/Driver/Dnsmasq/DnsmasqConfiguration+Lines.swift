import VirtCore
import VirtModel

extension DnsmasqConfiguration {
    /// The lines of dnsmasq.conf in libvirt's order.
    struct Lines {
        let network: Network
        let files: Files
        private(set) var text = ""
        private var leases = 0

        init(network: Network, files: Files) {
            self.network = network
            self.files = files
        }

        private mutating func put(_ line: String) { text += line.onOneLine + "\n" }

        mutating func build() throws(VirtError) {
            put("strict-order")
            if !network.dns.isWanted { put("port=0") }
            putForwarders()
            try putDomain()
            putListening()
            if network.dns.isWanted { putRecords() }
            try putDHCP()
            putFiles()
            for option in network.dnsmasqOptions ?? [] { put(option) }
        }

        private mutating func putForwarders() {
            guard network.dns.isWanted else { return }
            for forwarder in network.dns.forwarders {
                let domain = forwarder.domain.map { "/\($0)/" } ?? ""
                put("server=\(domain)\(forwarder.address?.description ?? "#")")
            }
            // A server for all names replaces those of the host.
            if network.dns.forwarders.contains(where: { $0.domain == nil }) { put("no-resolv") }
        }

        private mutating func putDomain() throws(VirtError) {
            if let domain = network.domain, let name = domain.name {
                if domain.isLocalOnly == true { put("local=/\(name)/") }
                put("domain=\(name)")
                put("expand-hosts")
            }
            guard network.dns.isWanted else { return }
            for ip in network.addresses where ip.isLocalPointer == true { put("local=/\(try reverseDomain(ip))/") }
            guard network.dns.forwardsPlainNames == false else { return }
            put("domain-needed")
            put("local=//")
        }

        private func reverseDomain(_ ip: Network.IP) throws(VirtError) -> String {
            let prefix = ip.prefix ?? 0
            if let domain = ip.address.reverseDomain(prefix: prefix) { return domain }
            let family = ip.address.isIPv4 ? "IPv4" : "IPv6"
            throw VirtError(
                .configUnsupported, .network,
                "PTR domain for \(family) network with prefix \(prefix) cannot be automatically created")
        }

        private mutating func putListening() {
            put("pid-file=\(files.processID)")
            put("except-interface=lo")
            put("bind-dynamic")
            put("interface=\(network.bridge.name ?? "")")
            guard network.forward == nil else { return }
            // Nothing leads outside: no router, and no name of the host's servers.
            put("dhcp-option=3")
            put("no-resolv")
            put("ra-param=*,0,0")
        }

        private mutating func putRecords() {
            for record in network.dns.texts { put("txt-record=\(record.name),\(record.value ?? "")") }
            for record in network.dns.services { put("srv-host=" + Self.text(record)) }
        }

        private static func text(_ record: Network.Service) -> String {
            var name = "_\(record.service ?? "")._\(record.transport ?? "")"
            if let domain = record.domain { name += ".\(domain)" }
            guard let target = record.target, target != "." else { return name }
            let numbers = [record.port ?? 0, record.priority ?? 0, record.weight ?? 0]
            guard let last = numbers.lastIndex(where: { $0 != 0 }) else { return "\(name),\(target)" }
            let shown = [numbers[0] == 0 ? 1 : numbers[0], numbers[1], numbers[2]].prefix(last + 1)
            return "\(name),\(target)," + shown.map { String($0) }.joined(separator: ",")
        }

        private mutating func putDHCP() throws(VirtError) {
            for family in [IPAddress.Family.ipv4, .ipv6] {
                let all = network.addresses.filter { $0.family == family && $0.hasDHCP }
                if all.count > 1 {
                    throw VirtError(
                        .configUnsupported, .network,
                        "For \(family == .ipv4 ? "IPv4" : "IPv6"), multiple DHCP definitions cannot be specified.")
                }
                guard let ip = all.first else { continue }
                try putRanges(ip)
                if ip.address.isIPv4 { putBoot(ip) }
            }
            if leases > 0 { put("dhcp-lease-max=\(leases)") }
        }

        private mutating func putRanges(_ ip: Network.IP) throws(VirtError) {
            guard let prefix = ip.prefix, let mask = IPAddress.netmask(prefix: prefix, ip.family) else {
                throw VirtError(
                    .internalError, .network, "bridge '\(network.bridge.name ?? "")' has an invalid prefix")
            }
            let width = ip.address.isIPv4 ? "\(mask)" : "\(prefix)"
            for range in ip.ranges {
                let lease = range.lease.map { ",\($0.dnsmasqText)" } ?? ""
                put("dhcp-range=\(range.addresses.start),\(range.addresses.end),\(width)\(lease)")
                leases += try range.addresses.count(in: ip.address, prefix: prefix)
            }
            // Only kept addresses: dnsmasq serves them when it is told of the network.
            if ip.ranges.isEmpty { put("dhcp-range=\(ip.address),static" + (ip.address.isIPv4 ? "" : ",\(prefix)")) }
        }

        private mutating func putBoot(_ ip: Network.IP) {
            put("dhcp-no-override")
            put("dhcp-authoritative")
            if let root = ip.tftpRoot {
                put("enable-tftp")
                put("tftp-root=\(root)")
            }
            guard let boot = ip.boot else { return }
            put("dhcp-boot=\(boot.file)" + (boot.server.map { ",,\($0)" } ?? ""))
        }

        private mutating func putFiles() {
            if network.addresses.contains(where: { $0.hasDHCP }) { put("dhcp-hostsfile=\(files.hosts)") }
            if network.dns.isWanted { put("addn-hosts=\(files.additionalHosts)") }
            if let mtu = network.mtu { put("dhcp-option=option:mtu,\(mtu)") }
            if network.dhcpAddress(.ipv6) != nil {
                put("enable-ra")
            } else {
                for ip in network.addresses where !ip.address.isIPv4 { put("dhcp-range=\(ip.address),ra-only") }
            }
        }
    }
}
