package import VirtCore
import VirtXML

extension Network {
    /// An address of the bridge, with the leases and boot files that belong to it (`<ip>`).
    package struct IP: Equatable, Sendable {
        package enum FamilyName: String, XMLEnum, CaseIterable { case ipv4, ipv6 }

        package var familyName: FamilyName?
        package var address = IPAddress.unspecified
        package var netmask: IPAddress?
        /// Zero: not given.
        package var givenPrefix: UInt32 = 0
        package var isLocalPointer: Bool?
        package var tftpRoot: String?
        package var ranges: [DHCPRange] = []
        package var hosts: [DHCPHost] = []
        package var boot: Boot?

        package init() {}

        package var family: IPAddress.Family { address.family }
        package var hasDHCP: Bool { !ranges.isEmpty || !hosts.isEmpty }

        /// The prefix length: as given, else from the netmask, else of the address class.
        package var prefix: Int? {
            if givenPrefix > 0 { return Int(givenPrefix) }
            return netmask.map { $0.netmaskBits } ?? address.classPrefix
        }

        /// The network address with its prefix, as firewall rules take it; an error when there is no valid prefix.
        package func network() throws(VirtError) -> String {
            guard let prefix, let base = address.network(prefix: prefix) else {
                throw VirtError(.internalError, .network, "Failure to mask address")
            }
            return "\(base)/\(prefix)"
        }
    }

    /// How long a lease lasts.
    package struct LeaseTime: Equatable, Sendable {
        package enum Unit: String, XMLEnum, CaseIterable { case seconds, minutes, hours }

        /// Zero: for ever.
        package var expiry: UInt64
        package var unit: Unit

        package init(expiry: UInt64, unit: Unit = .minutes) {
            self.expiry = expiry
            self.unit = unit
        }

        /// As dnsmasq takes it.
        package var dnsmasqText: String {
            expiry == 0 ? "infinite" : "\(expiry)\(unit.rawValue.prefix(1))"
        }
    }

    package struct DHCPRange: Equatable, Sendable {
        package var addresses = AddressRange(start: .unspecified, end: .unspecified)
        package var lease: LeaseTime?

        package init() {}
    }

    /// An address that is kept for a guest. Texts are kept as they were written.
    package struct DHCPHost: Equatable, Sendable {
        package var mac: String?
        package var id: String?
        package var name: String?
        package var ip: IPAddress?
        package var lease: LeaseTime?

        package init() {}
    }

    /// The boot file that DHCP offers.
    package struct Boot: Equatable, Sendable {
        package var file: String
        package var server: IPAddress?

        package init(file: String, server: IPAddress? = nil) {
            self.file = file
            self.server = server
        }
    }

    /// A route of the host through the bridge.
    package struct Route: Equatable, Sendable {
        package var familyName: IP.FamilyName?
        package var address = IPAddress.unspecified
        package var netmask: IPAddress?
        package var givenPrefix: UInt32?
        package var gateway = IPAddress.unspecified
        package var metric: UInt32?

        package init() {}

        /// The metric that the kernel gets: 1 where none is given.
        package var effectiveMetric: UInt32 { metric ?? 1 }

        package var family: IPAddress.Family { address.family }

        package var prefix: Int? {
            if let givenPrefix, givenPrefix > 0 { return Int(givenPrefix) }
            if givenPrefix != nil { return 0 }
            return netmask.map { $0.netmaskBits } ?? address.classPrefix
        }
    }
}
