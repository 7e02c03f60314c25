import VirtCore
import VirtXML

extension Network {
    /// What virNetworkUpdate does with the element that it gets.
    package enum UpdateCommand: UInt32, Sendable, CaseIterable {
        case none, modify, delete, addLast, addFirst

        var isAdding: Bool { self == .addLast || self == .addFirst }
    }

    /// The part of a definition that virNetworkUpdate changes.
    package enum UpdateSection: UInt32, Sendable, CaseIterable {
        case none, bridge, domain, ip, ipDHCPHost, ipDHCPRange, forward, forwardInterface, forwardPF, portGroup
        case dnsHost, dnsText, dnsService
    }

    /// One change of a part of a definition.
    package struct Update: Sendable {
        package var command: UInt32
        package var section: UInt32
        /// Which `<ip>` a DHCP entry is of; -1: the one with DHCP, else the first.
        package var parentIndex: Int32
        package var xml: String

        package init(command: UInt32, section: UInt32, parentIndex: Int32, xml: String) {
            self.command = command
            self.section = section
            self.parentIndex = parentIndex
            self.xml = xml
        }
    }

    /// The definition with a change applied (virNetworkUpdate).
    package func updated(_ update: Update) throws -> Network {
        let document = try XMLDocument.parse(update.xml, name: "network_update_xml", domain: .network)
        guard let element = document.root else { throw NetworkXML.malformed("empty document") }
        var copy = self
        try NetworkXML.naming(name) { try copy.apply(update, element) }
        return copy
    }

    private mutating func apply(_ update: Update, _ element: XMLNode) throws {
        switch UpdateSection(rawValue: update.section) {
        case .bridge: throw unsupported("bridge")
        case .domain: throw unsupported("domain")
        case .ip: throw unsupported("ip")
        case .forward: throw unsupported("forward")
        case .forwardPF: throw unsupported("forward pf")
        case .ipDHCPHost: try updateDHCPHost(update, element)
        case .ipDHCPRange: try updateDHCPRange(update, element)
        case .forwardInterface: try updateInterface(update, element)
        case .portGroup: try updatePortGroup(update, element)
        case .dnsHost: try updateHost(update, element)
        case .dnsText: try updateText(update, element)
        case .dnsService: try updateService(update, element)
        case .none?, nil:
            throw VirtError(.operationUnsupported, .network, "can't update unrecognized section of network")
        }
    }

    private func unsupported(_ section: String) -> VirtError {
        VirtError(.operationUnsupported, .network, "can't update '\(section)' section of network '\(name)'")
    }

    func conflict(_ text: String) -> VirtError { VirtError(.operationInvalid, .network, text) }

    /// The command of an update, after a check of the element's name. What can't be modified says so first.
    func command(
        _ update: Update, _ element: XMLNode, _ wanted: String, fixed: String? = nil
    ) throws(VirtError)
        -> UpdateCommand
    {
        let command = UpdateCommand(rawValue: update.command) ?? .none
        if command == .modify, let fixed {
            throw VirtError(
                .operationUnsupported, .network, "\(fixed) cannot be modified, only added or deleted")
        }
        guard element.name == wanted else {
            throw NetworkXML.malformed(
                "unexpected element <\(element.name)>, expecting <\(wanted)>, while updating network '\(name)'")
        }
        guard command != .none else {
            throw VirtError(
                .operationUnsupported, .network, "unrecognized network update command code \(update.command)")
        }
        return command
    }

    /// The `<ip>` that a DHCP entry belongs to.
    private func addressIndex(_ parentIndex: Int32) throws(VirtError) -> Int {
        if parentIndex >= 0 {
            guard addresses.indices.contains(Int(parentIndex)) else {
                throw conflict(
                    "couldn't update dhcp host entry - no <ip> element found at index \(parentIndex) in network "
                        + "'\(name)'")
            }
            return Int(parentIndex)
        }
        let found =
            addresses.firstIndex { $0.hasDHCP } ?? addresses.firstIndex { $0.address.isIPv4 }
            ?? addresses.firstIndex { !$0.address.isIPv4 }
        guard let found else {
            throw conflict("couldn't update dhcp host entry - no <ip> element found in network '\(name)'")
        }
        return found
    }

    private func checkSingleDHCP(_ index: Int) throws(VirtError) {
        let family = addresses[index].family
        for (other, ip) in addresses.enumerated() where other != index && ip.family == family && ip.hasDHCP {
            throw conflict(
                "dhcp is supported only for a single \(family == .ipv4 ? "IPv4" : "IPv6") address on network '\(name)'")
        }
    }

    private mutating func updateDHCPHost(_ update: Update, _ element: XMLNode) throws {
        let index = Result { try addressIndex(update.parentIndex) }
        let command = try command(update, element, "host")
        let position = try index.get()
        let host: DHCPHost = try ElementReader.read(element)
        try host.validate(in: addresses[position], asKey: command == .delete)
        if command != .delete, host.ip?.family != addresses[position].family {
            throw conflict(
                "the address family of a host entry IP must match the address family of the dhcp element's parent")
        }
        let hosts = addresses[position].hosts
        let similar = hosts.firstIndex { $0.shares(with: host) }
        switch command {
        case .modify:
            guard let similar else {
                throw conflict(
                    "couldn't locate an existing dhcp host entry with \"mac='\(host.mac ?? "unknown")'\" "
                        + "\"name='\(host.name ?? "(null)")'\" \"ip='\(host.ip?.description ?? "unknown")'\" in "
                        + "network '\(name)'")
            }
            addresses[position].hosts[similar] = host
        case .delete:
            guard let found = hosts.firstIndex(where: { host.selects($0) }) else {
                throw conflict("couldn't locate a matching dhcp host entry in network '\(name)'")
            }
            addresses[position].hosts.remove(at: found)
        case .addFirst, .addLast:
            try checkSingleDHCP(position)
            if similar != nil {
                throw conflict(
                    "there is an existing dhcp host entry in network '\(name)' that matches \"<host "
                        + "mac='\(host.mac ?? "unknown")' name='\(host.name ?? "(null)")' "
                        + "ip='\(host.ip?.description ?? "unknown")'/>\"")
            }
            addresses[position].hosts.insert(host, at: command == .addFirst ? 0 : hosts.count)
        case .none: break
        }
    }

    private mutating func updateDHCPRange(_ update: Update, _ element: XMLNode) throws {
        let index = Result { try addressIndex(update.parentIndex) }
        let command = try command(update, element, "range", fixed: "dhcp ranges")
        let position = try index.get()
        let range: DHCPRange = try ElementReader.read(element)
        let ip = addresses[position]
        _ = try range.addresses.count(in: ip.address, prefix: ip.prefix ?? -1)
        let found = ip.ranges.firstIndex { $0.addresses == range.addresses }
        if command == .delete {
            guard let found else {
                throw conflict("couldn't locate a matching dhcp range entry in network '\(name)'")
            }
            addresses[position].ranges.remove(at: found)
            return
        }
        try checkSingleDHCP(position)
        if found != nil {
            throw conflict(
                "there is an existing dhcp range entry in network '\(name)' that matches \"<range "
                    + "start='\(range.addresses.start)' end='\(range.addresses.end)'/>\"")
        }
        addresses[position].ranges.insert(range, at: command == .addFirst ? 0 : ip.ranges.count)
    }
}

extension Network.DHCPHost {
    private var macAddress: MACAddress? { mac.flatMap { MACAddress(parsing: $0) } }

    /// Whether one of the parts is the same.
    fileprivate func shares(with other: Self) -> Bool {
        if let macAddress, macAddress == other.macAddress { return true }
        if let ip, ip == other.ip { return true }
        return name != nil && name == other.name
    }

    /// Whether all parts that are given are those of another entry.
    fileprivate func selects(_ other: Self) -> Bool {
        (mac == nil || other.mac == nil || macAddress == other.macAddress)
            && (name == nil || name == other.name) && (ip == nil || ip == other.ip)
    }
}
