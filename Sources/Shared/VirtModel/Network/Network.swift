package import VirtCore
package import VirtXML

/// A virtual network: what `<network>` says, and of a running one also how many interfaces use it.
package struct Network: Equatable, Sendable {
    package var name = ""
    package var uuid = UUID.zero
    /// False for a UUID that was made up while parsing.
    package var hasGivenUUID = false
    /// `ipv6='yes'`: guests may talk IPv6 to each other although the network has no IPv6 address.
    package var allowsIPv6WithoutGateway = false
    package var trustsGuestReceiveFilters: Bool?
    package var metadata: XMLFragment?
    /// Nil: an isolated network.
    package var forward: Forward?
    package var bridge = Bridge()
    package var mac: MACAddress?
    package var mtu: UInt32?
    package var domain: DomainName?
    package var dns = DNS()
    package var vlan: VLAN?
    package var bandwidth: Bandwidth?
    package var isolatesPorts: Bool?
    package var addresses: [IP] = []
    package var routes: [Route] = []
    package var virtualPort: VirtualPort?
    package var portGroups: [PortGroup] = []
    /// Lines for dnsmasq.conf from the namespace `dnsmasq`.
    package var dnsmasqOptions: [String]?
    /// How many interfaces are connected, of a running network.
    package var connections = 0

    package init() {}
}

extension Network {
    /// The bridge device: one that libvirt makes, or one of the host in mode `bridge`.
    package struct Bridge: Equatable, Sendable {
        package enum MACTableManager: String, XMLEnum, CaseIterable { case kernel, libvirt }

        package var name: String?
        package var zone: String?
        package var stp: Bool?
        /// The forward delay, in seconds.
        package var delay: UInt64?
        package var macTableManager: MACTableManager?

        package init() {}

        package var usesSTP: Bool { stp ?? true }
    }

    /// The DNS domain of the guests.
    package struct DomainName: Equatable, Sendable {
        package var name: String?
        package var isLocalOnly: Bool?

        package init() {}
    }

    /// Settings for interfaces that name the group.
    package struct PortGroup: Equatable, Sendable {
        package var name = ""
        package var isDefault = false
        package var trustsGuestReceiveFilters: Bool?
        package var vlan: VLAN?
        package var virtualPort: VirtualPort?
        package var bandwidth: Bandwidth?

        package init() {}
    }

    /// The group that an interface gets: the one it names, else the default one.
    package func portGroup(named name: String?) -> PortGroup? {
        guard let name else { return portGroups.first { $0.isDefault } }
        return portGroups.first { $0.name == name }
    }

    /// Whether libvirt itself makes the bridge and what belongs to it.
    package var isManaged: Bool { forward?.mode.isManaged ?? true }

    /// Whether the daemon puts rules into the firewall for it.
    package var hasFirewall: Bool { isManaged && forward?.mode != .open }

    /// The first IPv4 (or IPv6) address with leases.
    package func dhcpAddress(_ family: IPAddress.Family) -> IP? {
        addresses.first { $0.family == family && $0.hasDHCP }
    }

    package func has(_ family: IPAddress.Family) -> Bool { addresses.contains { $0.family == family } }
}
