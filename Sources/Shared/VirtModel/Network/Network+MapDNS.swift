import VirtCore
package import VirtXML

private let mark = NetworkXML.nameMark

extension Network.DNS: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("enable", &isEnabled) {
            NetworkXML.malformed("Invalid dns enable setting '\($0)' in network '\(mark)'")
        }
        try x.attribute("forwardPlainNames", &forwardsPlainNames) {
            NetworkXML.malformed("Invalid dns forwardPlainNames setting '\($0)' in network '\(mark)'")
        }
        try x.elements("forwarder", &forwarders)
        try x.elements("txt", &texts)
        try x.elements("srv", &services)
        try x.elements("host", &hosts)
        guard x.isReading else { return }
        for host in hosts { try host.validate() }
        for service in services { try service.validate() }
        for text in texts { try text.validate() }
        if isEnabled == false, hasRecords {
            throw NetworkXML.malformed("Extra data in disabled network '\(mark)'")
        }
    }
}

extension Network.Forwarder: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("domain", &domain)
        try x.attribute("addr", &address) {
            NetworkXML.malformed("Invalid forwarder IP address '\($0)' in network '\(mark)'")
        }
        if x.isReading, domain == nil, address == nil {
            throw NetworkXML.malformed("Invalid forwarder element, must contain at least one of addr or domain")
        }
    }
}

extension Network.Text: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("name", &name)
        try x.attribute("value", &value)
    }
}

extension Network.Service: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("service", &service)
        try x.attribute("protocol", &transport)
        try x.attribute("domain", &domain)
        try x.attribute("target", &target)
        try number(&x, "port", &port)
        try number(&x, "priority", &priority)
        try number(&x, "weight", &weight)
    }

    /// A number, which is not printed when it is zero.
    private func number<M: ElementMapper>(_ x: inout M, _ label: StaticString, _ value: inout UInt32?) throws {
        let service = service ?? ""
        if x.isWriting, value == 0 { return }
        try x.attribute(label, &value) { _ in
            NetworkXML.detail("invalid DNS SRV \(label) attribute for service '\(service)' in network '\(mark)'")
        }
    }
}

extension Network.Host: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("ip", &ip) { _ in
            NetworkXML.detail("Invalid IP address in network '\(mark)' DNS HOST record")
        }
        try x.textElements("hostname", &names)
    }
}
