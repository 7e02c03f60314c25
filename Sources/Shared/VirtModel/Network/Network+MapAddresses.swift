import VirtCore
package import VirtXML

private let name = NetworkXML.nameMark

extension Network.IP: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("family", &familyName) {
            NetworkXML.malformed("Unrecognized family '\($0)' in network '\(name)'")
        }
        try x.address("address", &address, missing: "Missing required address attribute in network '\(name)'") {
            NetworkXML.malformed("Invalid address '\($0)' in network '\(name)'")
        }
        try x.attribute("netmask", &netmask) {
            NetworkXML.malformed("Invalid netmask '\($0)' in network '\(name)'")
        }
        var prefix: UInt32? = givenPrefix == 0 ? nil : givenPrefix
        try x.attribute("prefix", &prefix) { _ in
            NetworkXML.malformed("Invalid ULong value specified for prefix in definition of network '\(name)'")
        }
        givenPrefix = prefix ?? 0
        try x.attribute("localPtr", &isLocalPointer) {
            NetworkXML.malformed("Invalid localPtr value '\($0)' in network '\(name)'")
        }
        if x.isReading { try validateAddress() }
        try mapTFTP(&x)
        var value = self
        try x.group("dhcp") { try value.mapDHCP(&$0) }
        self = value
    }

    private mutating func mapTFTP<M: ElementMapper>(_ x: inout M) throws {
        if let node = x.node, node.child("tftp") != nil, !address.isIPv4 {
            throw NetworkXML.unsupported("Unsupported <tftp> element in an IPv6 element in network '\(name)'")
        }
        var root = tftpRoot
        try x.group("tftp") { try $0.nonEmpty("root", &root) }
        tftpRoot = root
    }

    private mutating func mapDHCP<M: ElementMapper>(_ x: inout M) throws {
        guard x.isReading || hasDHCP else { return }
        try x.elements("range", &ranges)
        try x.elements("host", &hosts)
        if x.isReading {
            for range in ranges { _ = try range.addresses.count(in: address, prefix: prefix ?? -1) }
            for host in hosts { try host.validate(in: self) }
            guard address.isIPv4 else { return }
        }
        var (file, server) = (boot?.file, boot?.server)
        try x.group("bootp") {
            try $0.attribute("file", &file)
            guard file != nil else { return }
            try $0.socketAddress("server", &server)
        }
        boot = file.map { Network.Boot(file: $0, server: server) }
    }

    /// Whether address, netmask and prefix fit the family.
    private func validateAddress() throws(VirtError) {
        switch familyName {
        case .ipv4, nil:
            guard address.isIPv4 else {
                throw NetworkXML.unsupported(
                    "\(familyName?.rawValue ?? "no") family specified for non-IPv4 address '\(address)' in "
                        + "network '\(name)'")
            }
            if let netmask {
                guard netmask.isIPv4 else {
                    throw NetworkXML.unsupported(
                        "Invalid netmask '\(netmask)' for address '\(address)' in network '\(name)' (both must "
                            + "be IPv4)")
                }
                if givenPrefix > 0 {
                    throw NetworkXML.unsupported(
                        "Network '\(name)' IP address cannot have both a prefix and a netmask")
                }
            } else if givenPrefix > 32 {
                throw NetworkXML.unsupported("Invalid IPv4 prefix '\(givenPrefix)' in network '\(name)'")
            }
        case .ipv6:
            guard !address.isIPv4 else {
                throw NetworkXML.unsupported(
                    "Family 'ipv6' specified for non-IPv6 address '\(address)' in network '\(name)'")
            }
            if netmask != nil {
                throw NetworkXML.unsupported("netmask not allowed for IPv6 address '\(address)' in network '\(name)'")
            }
            if givenPrefix > 128 {
                throw NetworkXML.unsupported("Invalid IPv6 prefix '\(givenPrefix)' in network '\(name)'")
            }
        }
    }
}

extension Network.DHCPRange: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.rangeEnd("start", &addresses.start)
        try x.rangeEnd("end", &addresses.end)
        try x.lease(&lease)
    }
}

extension Network.DHCPHost: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("mac", &mac)
        try x.attribute("id", &id)
        try x.attribute("name", &self.name)
        try x.attribute("ip", &ip) { _ in
            NetworkXML.malformed("Invalid IP address in static host definition for network '\(VirtModel.name)'")
        }
        try x.lease(&lease)
    }
}

extension Network.Route: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        func bad(_ text: String) -> VirtError { NetworkXML.malformed("\(name): \(text) in route definition") }
        try x.attribute("family", &familyName) { bad("Unrecognized family '\($0)'") }
        try x.address("address", &address, missing: "\(name): Missing required address attribute in route definition") {
            bad("Bad network address '\($0)'")
        }
        try x.attribute("netmask", &netmask) { bad("Bad netmask address '\($0)'") }
        try x.attribute("prefix", &givenPrefix) { _ in bad("Invalid prefix specified") }
        try x.address("gateway", &gateway, missing: "\(name): Missing required gateway attribute in route definition") {
            bad("Bad gateway address '\($0)'")
        }
        try x.attribute("metric", &metric) { _ in bad("Invalid metric specified") }
        guard x.isReading else { return }
        if metric == 0 { throw bad("Invalid metric value, must be > 0") }
        try validate(bad)
    }

    private func validate(_ bad: (String) -> VirtError) throws(VirtError) {
        switch familyName {
        case .ipv4, nil:
            let label = familyName == nil ? "No family" : "IPv4 family"
            guard address.isIPv4 else { throw bad("\(label) specified for non-IPv4 address '\(address)'") }
            guard gateway.isIPv4 else { throw bad("\(label) specified for non-IPv4 gateway '\(address)'") }
            if let netmask {
                guard netmask.isIPv4 else {
                    throw NetworkXML.malformed(
                        "\(name): Invalid netmask '\(netmask)' for address '\(address)' (both must be IPv4)")
                }
                if givenPrefix != nil {
                    throw NetworkXML.malformed("\(name): Route definition cannot have both a prefix and a netmask")
                }
            }
            if let givenPrefix, givenPrefix > 32 { throw badPrefix(givenPrefix, 32) }
        case .ipv6:
            guard !address.isIPv4 else { throw bad("ipv6 family specified for non-IPv6 address '\(address)'") }
            if netmask != nil { throw bad("Specifying netmask invalid for IPv6 address '\(address)'") }
            guard !gateway.isIPv4 else { throw bad("ipv6 specified for non-IPv6 gateway address '\(gateway)'") }
            if let givenPrefix, givenPrefix > 128 { throw badPrefix(givenPrefix, 128) }
        }
        let bits = netmask.map { $0.netmaskBits } ?? Int(givenPrefix ?? 0)
        guard let bits, address.network(prefix: bits) == address else {
            throw NetworkXML.malformed(
                "\(name): Address '\(address)' in route definition is not a network address")
        }
    }

    private func badPrefix(_ prefix: UInt32, _ limit: Int) -> VirtError {
        NetworkXML.malformed("\(name): Invalid prefix \(prefix) specified in route definition, must be 0 - \(limit)")
    }
}

extension ElementMapper {
    fileprivate mutating func address(
        _ attribute: StaticString, _ value: inout IPAddress, missing: String, or failure: (String) -> VirtError
    ) throws(VirtError) {
        var text: String? = isReading ? nil : value.description
        try nonEmpty(attribute, &text)
        guard isReading else { return }
        guard let text else { throw NetworkXML.malformed(missing) }
        guard let read = IPAddress(parsing: text) else { throw failure(text) }
        value = read
    }

    fileprivate mutating func rangeEnd(_ attribute: StaticString, _ value: inout IPAddress) throws(VirtError) {
        var text: String? = isReading ? nil : value.description
        try self.attribute(attribute, &text)
        guard isReading else { return }
        guard let text else {
            throw NetworkXML.malformed("Missing '\(attribute)' attribute in dhcp range for network '\(name)'")
        }
        value = try IPAddress.parse(text)
    }

    fileprivate mutating func socketAddress(_ attribute: StaticString, _ value: inout IPAddress?) throws(VirtError) {
        var text: String? = isReading ? nil : value?.description
        try self.attribute(attribute, &text)
        guard isReading else { return }
        guard let text else {
            value = nil
            return
        }
        value = try IPAddress.parse(text)
    }

    /// `<lease expiry='2' unit='hours'/>`; the unit of an endless lease is not printed.
    fileprivate mutating func lease(_ value: inout Network.LeaseTime?) throws {
        var expiry = value?.expiry
        var unit = value.flatMap { $0.expiry == 0 ? nil : Optional($0.unit) }
        try group("lease") {
            try $0.attribute("expiry", &expiry)
            try $0.attribute("unit", &unit)
        }
        guard isReading else { return }
        guard let expiry else {
            value = nil
            return
        }
        let time = Network.LeaseTime(expiry: expiry, unit: unit ?? .minutes)
        if expiry > 0, time.unit == .seconds && expiry < 120 || time.unit == .minutes && expiry < 2 {
            throw NetworkXML.unsupported("The minimum lease time should be greater than 2 minutes")
        }
        value = time
    }
}
