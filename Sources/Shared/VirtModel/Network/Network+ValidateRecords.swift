package import VirtCore

private let mark = NetworkXML.nameMark

extension Network.DHCPHost {
    /// What libvirt asks of an entry. `asKey`: the entry only selects another one (for deleting), one part is enough.
    package func validate(in ip: Network.IP, asKey: Bool = false) throws(VirtError) {
        try validateMAC(in: ip)
        let allowed = "0123456789abcdefABCDEF:".unicodeScalars
        if let id, let bad = id.unicodeScalars.first(where: { !allowed.contains($0) }) {
            throw NetworkXML.malformed("Invalid character '\(bad)' in id '\(id)' of network '\(mark)'")
        }
        if let name, name.utf8.first.map({ !isLetter($0) }) ?? true {
            throw NetworkXML.malformed("Cannot use host name '\(name)' in network '\(mark)'")
        }
        if asKey {
            guard mac != nil || name != nil || self.ip != nil else {
                throw NetworkXML.malformed(
                    "At least one of name, mac, or ip attribute must be specified for static host definition in "
                        + "network '\(mark)' ")
            }
            return
        }
        if ip.address.isIPv4, mac == nil, name == nil {
            throw NetworkXML.malformed(
                "Static host definition in IPv4 network '\(mark)' must have mac or name attribute")
        }
        if !ip.address.isIPv4, id == nil, name == nil {
            throw NetworkXML.malformed(
                "Static host definition in IPv6 network '\(mark)' must have id or name attribute")
        }
        if self.ip == nil {
            throw NetworkXML.malformed("Missing IP address in static host definition for network '\(mark)'")
        }
    }

    private func validateMAC(in ip: Network.IP) throws(VirtError) {
        guard let mac else { return }
        guard ip.address.isIPv4 else {
            throw NetworkXML.malformed(
                "Invalid to specify MAC address '\(mac)' in network '\(mark)' IPv6 static host definition")
        }
        guard let parsed = MACAddress(parsing: mac) else {
            throw NetworkXML.malformed("Cannot parse MAC address '\(mac)' in network '\(mark)'")
        }
        if parsed.isMulticast {
            throw NetworkXML.malformed("expected unicast mac address, found multicast '\(mac)' in network '\(mark)'")
        }
    }

    private func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}

extension Network.Host {
    package func validate(asKey: Bool = false) throws(VirtError) {
        if ip == nil, !asKey {
            throw NetworkXML.detail("Missing IP address in network '\(mark)' DNS HOST record")
        }
        if names.isEmpty, !asKey {
            throw NetworkXML.detail("Missing hostname in network '\(mark)' DNS HOST record")
        }
        if ip == nil, names.isEmpty {
            throw NetworkXML.detail("Missing ip and hostname in network '\(mark)' DNS HOST record")
        }
    }
}

extension Network.Text {
    package func validate(asKey: Bool = false) throws(VirtError) {
        guard !name.isEmpty else {
            throw NetworkXML.detail("missing required name attribute in DNS TXT record of network \(mark)")
        }
        if name.contains(" ") || name.contains(",") {
            throw NetworkXML.detail("prohibited character in DNS TXT record name '\(name)' of network \(mark)")
        }
        if value == nil, !asKey {
            throw NetworkXML.detail(
                "missing required value attribute in DNS TXT record named '\(name)' of network \(mark)")
        }
    }
}

extension Network.Service {
    package func validate(asKey: Bool = false) throws(VirtError) {
        if service == nil, !asKey {
            throw NetworkXML.detail("missing required service attribute in DNS SRV record of network '\(mark)'")
        }
        if let service { try validate(service: service) }
        if transport == nil, !asKey {
            throw NetworkXML.detail(
                "missing required protocol attribute in DNS SRV record '\(service ?? "")' of network '\(mark)'")
        }
        if let transport, !transport.allSatisfy({ Self.isWord($0) || "-+/".contains($0) }) {
            throw NetworkXML.detail(
                "invalid character in protocol attribute '\(transport)' in DNS SRV record of network '\(mark)'")
        }
        try validate(port, "port", from: 1)
        try validate(priority, "priority", from: 0)
        try validate(weight, "weight", from: 0)
    }

    private func validate(service: String) throws(VirtError) {
        if service.utf8.count > 512 - 50 {
            throw NetworkXML.detail(
                "service attribute '\(service)' in network '\(mark)' is too long, limit is 462 bytes")
        }
        guard service.allSatisfy({ Self.isWord($0) || "_-+/*".contains($0) }) else {
            throw NetworkXML.detail(
                "invalid character in service attribute '\(service)' in DNS SRV record of network '\(mark)'")
        }
    }

    private func validate(_ value: UInt32?, _ label: String, from least: UInt32) throws(VirtError) {
        guard let value else { return }
        let place = "for service '\(service ?? "")' in network '\(mark)'"
        if target == nil {
            throw NetworkXML.detail("DNS SRV \(label) attribute not permitted without target \(place)")
        }
        guard value >= least, value <= 65535 else {
            throw NetworkXML.detail("invalid DNS SRV \(label) attribute \(place)")
        }
    }

    private static func isWord(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber)
    }
}
