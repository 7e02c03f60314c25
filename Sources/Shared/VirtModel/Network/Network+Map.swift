import VirtCore
package import VirtXML

private let mark = NetworkXML.nameMark

extension Network: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        x.namespace("dnsmasq", "http://libvirt.org/schemas/network/dnsmasq/1.0", used: dnsmasqOptions != nil)
        try mapAttributes(&x)
        try mapIdentity(&x)
        x.fragment("metadata", &metadata, level: 1)
        try mapForward(&x)
        try mapBridge(&x)
        try mapLink(&x)
        try x.element("dns", &dns)
        try x.element("vlan", &vlan)
        try x.element("bandwidth", &bandwidth)
        try bandwidth?.validate(allowsFloor: false)
        try x.portOptions(&isolatesPorts)
        try x.elements("ip", &addresses)
        try x.elements("route", &routes)
        try x.virtualPort(&virtualPort)
        if x.isReading, virtualPort != nil, virtualPort?.kind == nil {
            throw VirtError(.xmlError, .none, "missing required virtualport type")
        }
        try x.elements("portgroup", &portGroups)
        try mapOptions(&x)
    }

    private mutating func mapAttributes<M: ElementMapper>(_ x: inout M) throws {
        if x.isWriting, connections > 0, !x.flags.contains(.inactive) { try x.attribute("connections", &connections) }
        var ipv6: Bool? = allowsIPv6WithoutGateway ? true : nil
        try x.attribute("ipv6", &ipv6) { NetworkXML.malformed("Invalid ipv6 setting '\($0)' in network '\(mark)'") }
        allowsIPv6WithoutGateway = ipv6 ?? false
        try x.attribute("trustGuestRxFilters", &trustsGuestReceiveFilters) {
            NetworkXML.malformed("Invalid trustGuestRxFilters setting '\($0)' in network '\(mark)'")
        }
    }

    private mutating func mapIdentity<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("name", &name)
        var text: String? = x.isReading ? nil : uuid.description
        try x.textElement("uuid", &text)
        guard x.isReading else { return }
        if name.isEmpty { throw VirtError(.noName, .network) }
        if name == "." || name == ".." { throw VirtError(.xmlDetail, .xml, "invalid name: \(name)") }
        if name.contains("/") { throw VirtError(.xmlDetail, .xml, "invalid char in name: /") }
        if let text {
            guard let read = UUID(parsing: text) else {
                throw VirtError(.internalError, .network, "malformed uuid element")
            }
            uuid = read
        } else {
            uuid = .random()
        }
        hasGivenUUID = text != nil
    }

    private mutating func mapForward<M: ElementMapper>(_ x: inout M) throws {
        // The mode "none" is the same as no element.
        if let node = x.node?.child("forward"), node.attribute("mode") == "none" { return }
        try x.element("forward", &forward)
    }

    private mutating func mapBridge<M: ElementMapper>(_ x: inout M) throws {
        if x.isWriting, !isManaged, bridge.name == nil, bridge.macTableManager == nil { return }
        var value = bridge
        let isManaged = isManaged
        try x.group("bridge", always: isManaged) { x in
            try x.nonEmpty("name", &value.name)
            try x.nonEmpty("zone", &value.zone)
            if x.isReading || isManaged { try value.mapTiming(&x) }
            try x.attribute("macTableManager", &value.macTableManager) {
                NetworkXML.malformed("Invalid macTableManager setting '\($0)' in network '\(mark)'")
            }
        }
        if x.isReading { bridge = value }
    }

    private mutating func mapLink<M: ElementMapper>(_ x: inout M) throws {
        var (mtu, mac, domain) = (mtu, mac, domain)
        try x.group("mtu") {
            try $0.attribute("size", &mtu) { NetworkXML.malformed("Invalid mtu size '\($0)' in network '\(mark)'") }
        }
        try x.group("mac") {
            try $0.attribute("address", &mac) {
                NetworkXML.malformed("Invalid bridge mac address '\($0)' in network '\(mark)'")
            }
        }
        if x.isWriting, domain?.name == nil { domain = nil }
        try x.element("domain", &domain)
        guard x.isReading else { return }
        (self.mtu, self.mac, self.domain) = (mtu == 0 ? nil : mtu, mac, domain)
        if let mac, mac.isMulticast {
            throw NetworkXML.malformed("Invalid multicast bridge mac address '\(mac)' in network '\(mark)'")
        }
    }

    private mutating func mapOptions<M: ElementMapper>(_ x: inout M) throws {
        var options = (dnsmasqOptions ?? []).map { DnsmasqOption(value: $0) }
        try x.group("dnsmasq:options") { try $0.elements("dnsmasq:option", &options) }
        if x.isReading { dnsmasqOptions = options.isEmpty ? nil : options.map { $0.value } }
    }
}

extension Network.Bridge {
    fileprivate mutating func mapTiming<M: ElementMapper>(_ x: inout M) throws {
        var text: String? = usesSTP ? "on" : "off"
        try x.attribute("stp", &text)
        var seconds: UInt64? = delay ?? 0
        try x.attribute("delay", &seconds) { _ in
            NetworkXML.malformed("Invalid delay value in network '\(mark)'")
        }
        guard x.isReading else { return }
        stp = text.map { $0 != "off" }
        delay = seconds
    }
}

extension Network.DomainName: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.nonEmpty("name", &name)
        try x.attribute("localOnly", &isLocalOnly) {
            NetworkXML.malformed("Invalid domain localOnly setting '\($0)' in network '\(mark)'")
        }
    }
}

extension Network.PortGroup: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required(
            "name", &name, missing: NetworkXML.malformed("Missing required name attribute in portgroup"))
        var standard: String? = isDefault ? "yes" : nil
        try x.attribute("default", &standard)
        isDefault = standard?.lowercased() == "yes"
        try x.attribute("trustGuestRxFilters", &trustsGuestReceiveFilters) {
            NetworkXML.malformed("Invalid trustGuestRxFilters setting '\($0)' in portgroup")
        }
        try x.element("vlan", &vlan)
        try x.virtualPort(&virtualPort)
        try x.element("bandwidth", &bandwidth)
        try bandwidth?.validate(allowsFloor: false)
    }
}

private struct DnsmasqOption: XMLMappable {
    var value = ""

    init() {}
    init(value: String) { self.value = value }

    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        let missing = VirtError(.internalError, .network, "No dnsmasq options value specified")
        try x.required("value", &value, missing: missing)
    }
}

extension ElementMapper {
    /// `<port isolated='yes'/>`
    mutating func portOptions(_ isolated: inout Bool?) throws {
        var value = isolated
        try group("port") {
            try $0.attribute("isolated", &value) { NetworkXML.malformed("unknown port isolated value '\($0)'") }
        }
        if isReading { isolated = value }
    }
}
