import VirtCore
package import VirtXML

private let mark = NetworkXML.nameMark

extension Network.Forward: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var device = physicalFunction == nil ? firstInterface : nil
        try x.nonEmpty("dev", &device)
        var given: Mode? = mode
        try x.attribute("mode", &given) { NetworkXML.unsupported("unknown forwarding type '\($0)'") }
        mode = given ?? .nat
        try mapManaged(&x)
        var driver = driver
        try x.group("driver") {
            try $0.attribute("name", &driver) {
                NetworkXML.unsupported("Unknown forward <driver name='\($0)'/> in network \(mark)")
            }
        }
        self.driver = driver
        try mapNAT(&x)
        try mapDevices(&x, device)
    }

    private mutating func mapManaged<M: ElementMapper>(_ x: inout M) throws {
        var managed: String? = mode == .hostdev ? (isManaged ? "yes" : "no") : nil
        try x.attribute("managed", &managed)
        if x.isReading { isManaged = managed?.lowercased() == "yes" }
    }

    private mutating func mapNAT<M: ElementMapper>(_ x: inout M) throws {
        if x.isWriting {
            guard mode == .nat, var nat, nat != Network.NAT() else { return }
            return try x.element("nat", &nat)
        }
        let count = x.node?.children("nat").count ?? 0
        if count > 1 { throw NetworkXML.malformed("Only one <nat> element is allowed in <forward> of network \(mark)") }
        if count == 1, mode != .nat {
            throw NetworkXML.malformed(
                "The <nat> element can only be used when <forward> 'mode' is 'nat' in network \(mark)")
        }
        try x.element("nat", &nat)
    }

    private mutating func mapDevices<M: ElementMapper>(_ x: inout M, _ device: String?) throws {
        var pool: [PhysicalFunction] = physicalFunction.map { [PhysicalFunction(dev: $0)] } ?? []
        try x.elements("pf", &pool)
        if x.isWriting, !pool.isEmpty, x.flags.contains(.inactive) { return }
        var interfaces = devices.compactMap { InterfaceElement($0) }
        var addresses = devices.compactMap { AddressElement($0) }
        try x.elements("interface", &interfaces)
        try x.elements("address", &addresses)
        guard x.isReading else { return }
        if device != nil, !addresses.isEmpty || !pool.isEmpty {
            throw NetworkXML.malformed(
                "the <forward> 'dev' attribute cannot be used when <address> or <pf> sub-elements are present "
                    + "in network \(mark)")
        }
        if device != nil || !interfaces.isEmpty {
            devices = try Self.join(device, interfaces)
        } else if !addresses.isEmpty {
            devices = try Self.join(addresses)
        } else if pool.count > 1 {
            throw NetworkXML.malformed("Only one <pf> element is allowed in <forward> of network \(mark)")
        } else {
            physicalFunction = pool.first?.dev
        }
    }

    private static func join(_ device: String?, _ elements: [InterfaceElement]) throws(VirtError) -> [Network.Device] {
        if let device, let first = elements.first, first.dev != device {
            throw NetworkXML.malformed(
                "<forward dev='\(device)'> must match first <interface dev='\(first.dev)'/> in network \(mark)")
        }
        let names = elements.isEmpty ? [device].compactMap { $0 } : elements.map { $0.dev }
        for (index, name) in names.enumerated() where names[..<index].contains(name) {
            throw NetworkXML.malformed("interface '\(name)' can only be listed once in network \(mark)")
        }
        return names.map { Network.Device(.interface($0)) }
    }

    private static func join(_ elements: [AddressElement]) throws(VirtError) -> [Network.Device] {
        let addresses = elements.map { $0.pci }
        for (index, address) in addresses.enumerated() where addresses[..<index].contains(address) {
            throw NetworkXML.malformed("PCI device '\(address)' can only be listed once in network \(mark)")
        }
        return addresses.map { Network.Device(.pci($0)) }
    }
}

extension Network.NAT: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("ipv6", &ipv6)
        if let node = x.node {
            for child in ["address", "port"] where node.children.filter({ $0.name == child }).count > 1 {
                throw NetworkXML.malformed(
                    "Only one <\(child)> element is allowed in <nat> in <forward> in network \(mark)")
            }
        }
        try mapRange(&x)
        try mapPorts(&x)
    }

    private mutating func mapRange<M: ElementMapper>(_ x: inout M) throws {
        var (start, end) = (range?.start, range?.end)
        let isReading = x.isReading
        try x.group("address") {
            try Self.end(&$0, "start", &start)
            try Self.end(&$0, "end", &end)
        }
        guard isReading, let start, let end else { return }
        range = AddressRange(start: start, end: end)
        _ = try range?.count()
    }

    private static func end<M: ElementMapper>(
        _ x: inout M, _ label: StaticString, _ value: inout IPAddress?
    ) throws {
        func bad(_ text: String) -> VirtError {
            NetworkXML.malformed("Bad ipv4 \(label) address '\(text)' in <nat> in <forward> in network '\(mark)'")
        }
        try x.attribute(label, &value) { bad($0) }
        guard x.isReading else { return }
        guard let found = value else {
            throw NetworkXML.malformed(
                "missing '\(label)' attribute in <address> element in <nat> in <forward> in network \(mark)")
        }
        if !found.isIPv4 { throw bad("\(found)") }
    }

    private mutating func mapPorts<M: ElementMapper>(_ x: inout M) throws {
        var (start, end) = (ports?.start, ports?.end)
        func bad(_ label: String) -> VirtError {
            NetworkXML.detail(
                "Missing or invalid '\(label)' attribute in <port> in <nat> in <forward> in network \(mark)")
        }
        let isReading = x.isReading
        var found: Network.PortRange?
        try x.group("port") {
            try $0.attribute("start", &start) { _ in bad("start") }
            try $0.attribute("end", &end) { _ in bad("end") }
            guard isReading else { return }
            guard let start, start <= 65535 else { throw bad("start") }
            guard let end, end <= 65535, end >= start else { throw bad("end") }
            found = Network.PortRange(start: start, end: end)
        }
        // Both zero means none.
        if isReading, let found, found.start != 0 || found.end != 0 { ports = found }
    }
}

private struct PhysicalFunction: XMLMappable {
    var dev = ""

    init() {}
    init(dev: String) { self.dev = dev }

    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        let missing = NetworkXML.malformed("Missing required dev attribute in <pf> element of network '\(mark)'")
        try x.required("dev", &dev, missing: missing)
    }
}

private struct InterfaceElement: XMLMappable {
    var dev = ""
    var connections = 0

    init() {}
    init?(_ device: Network.Device) {
        guard case .interface(let name) = device.kind else { return nil }
        (dev, connections) = (name, device.connections)
    }

    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        let missing = NetworkXML.malformed(
            "Missing required dev attribute in <forward> <interface> element of network \(mark)")
        try x.required("dev", &dev, missing: missing)
        if x.isWriting, connections > 0, !x.flags.contains(.inactive) { try x.attribute("connections", &connections) }
    }
}

private struct AddressElement: XMLMappable {
    var pci = Network.PCIAddress()

    init() {}
    init?(_ device: Network.Device) {
        guard case .pci(let address) = device.kind else { return nil }
        pci = address
    }

    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var type: String? = "pci"
        try x.attribute("type", &type)
        if x.isReading {
            guard let type else { throw NetworkXML.malformed("missing address type in network \(mark)") }
            guard type == "pci" else {
                throw NetworkXML.unsupported("unknown address type '\(type)' in network \(mark)")
            }
        }
        try pci.map(&x)
    }
}

extension Network.PCIAddress: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("domain", &domain, .hex(4))
        try x.attribute("bus", &bus, .hex(2))
        try x.attribute("slot", &slot, .hex(2))
        try x.attribute("function", &function, .hex(1))
        guard x.isReading else { return }
        let parts = [
            (
                "domain", domain, 0xFFFF_FFFF
            ), ("bus", bus, 0xFF), ("slot", slot, 0x1F), ("function", function, 7),
        ]
        for (label, value, limit) in parts where value > limit {
            throw NetworkXML.malformed(
                "Invalid PCI address \(label)='0x\(String(value, radix: 16))', must be <= "
                    + "0x\(String(limit, radix: 16))")
        }
        if domain == 0, bus == 0, slot == 0 {
            throw NetworkXML.malformed(
                "Invalid PCI address 0000:00:00, at least one of domain, bus, or slot must be > 0")
        }
    }
}
