import VirtCore
package import VirtXML

extension NetworkPort: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try mapIdentity(&x)
        try x.virtualPort(&virtualPort)
        try mapBandwidth(&x)
        try x.element("vlan", &vlan)
        try x.portOptions(&isIsolated)
        var trust = trustsGuestReceiveFilters
        try x.group("rxfilters") {
            try $0.attribute("trustGuest", &trust) {
                NetworkXML.malformed("Invalid guest rx filters trust setting '\($0)' ")
            }
        }
        trustsGuestReceiveFilters = trust
        if x.isWriting, plug == .none { return }
        var plug = plug
        try x.group("plug") { try plug.map(&$0) }
        self.plug = plug
    }

    private mutating func mapIdentity<M: ElementMapper>(_ x: inout M) throws {
        var (own, owner) = (Optional(uuid.description), Optional(ownerUUID.description))
        var (name, address): (String?, String?) = (ownerName, mac.description)
        if x.isReading { (own, owner, name, address) = (nil, nil, nil, nil) }
        try x.textElement("uuid", &own)
        try x.group("owner") {
            try $0.textElement("name", &name)
            try $0.textElement("uuid", &owner)
        }
        try x.textElement("group", &group)
        try x.group("mac") { try $0.attribute("address", &address) }
        guard x.isReading else { return }
        uuid = try Self.uuid(own, missing: "network port has no uuid")
        ownerName = try Self.present(name, "network port has no owner name")
        ownerUUID = try Self.uuid(owner, missing: "network port has no owner UUID")
        let text = try Self.present(address, "network port has no mac")
        guard let parsed = MACAddress(parsing: text) else { throw Self.failure("Unable to parse MAC '\(text)'") }
        mac = parsed
    }

    private mutating func mapBandwidth<M: ElementMapper>(_ x: inout M) throws {
        if x.isWriting, bandwidth == nil { return }
        var value = bandwidth ?? Bandwidth()
        var id: UInt32? = classID == 0 ? nil : classID
        try x.group("bandwidth", always: true) {
            try $0.attribute("classID", &id) { Self.failure("Unable to parse class id '\($0)'") }
            try value.map(&$0)
        }
        guard x.isReading else { return }
        try value.validate(allowsFloor: true)
        classID = id ?? 0
        bandwidth = value.inbound == nil && value.outbound == nil ? nil : value
    }

    private static func present(_ text: String?, _ missing: String) throws(VirtError) -> String {
        guard let text, !text.isEmpty else { throw failure(missing) }
        return text
    }

    private static func uuid(_ text: String?, missing: String) throws(VirtError) -> UUID {
        let text = try present(text, missing)
        guard let uuid = UUID(parsing: text) else { throw failure("Unable to parse UUID '\(text)'") }
        return uuid
    }

    private static func failure(_ text: String) -> VirtError { VirtError(.internalError, .network, text) }
}

extension NetworkPort.Plug {
    /// The word that the element's `type` says.
    package var typeName: String {
        switch self {
        case .none: "none"
        case .network: "network"
        case .bridge: "bridge"
        case .direct: "direct"
        case .hostdev: "hostdev-pci"
        }
    }

    fileprivate mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var type: String? = typeName
        try x.attribute("type", &type)
        if x.isReading { self = try Self.empty(type ?? "none") }
        switch self {
        case .none: break
        case .network(var bridge, var manager):
            try Self.mapBridge(&x, &bridge, &manager)
            self = .network(bridge: bridge, macTableManager: manager)
        case .bridge(var bridge, var manager):
            try Self.mapBridge(&x, &bridge, &manager)
            self = .bridge(bridge, macTableManager: manager)
        case .direct(var device, let mode):
            try x.required(
                "dev", &device, missing: NetworkXML.malformed("Missing network port link device name"))
            var given: NetworkPort.DirectMode? = mode
            try x.attribute("mode", &given) {
                NetworkXML.malformed("Invalid mode setting '\($0)' in network port")
            }
            self = .direct(device: device, mode: given ?? .vepa)
        case .hostdev(let address, let driver, let isManaged):
            self = try Self.hostdev(&x, address, driver, isManaged)
        }
    }

    private static func empty(_ type: String) throws(VirtError) -> Self {
        switch type {
        case "none": .none
        case "network": .network(bridge: "", macTableManager: nil)
        case "bridge": .bridge("", macTableManager: nil)
        case "direct": .direct(device: "", mode: .vepa)
        case "hostdev-pci": .hostdev(address: Network.PCIAddress(), driver: nil, isManaged: false)
        default: throw NetworkXML.malformed("Invalid network prt plug type '\(type)'")
        }
    }

    private static func mapBridge<M: ElementMapper>(
        _ x: inout M, _ bridge: inout String, _ manager: inout Network.Bridge.MACTableManager?
    ) throws {
        try x.required("bridge", &bridge, missing: NetworkXML.malformed("Missing network port bridge name"))
        try x.attribute("macTableManager", &manager) {
            NetworkXML.malformed("Invalid macTableManager setting '\($0)' in network port")
        }
    }

    private static func hostdev<M: ElementMapper>(
        _ x: inout M, _ address: Network.PCIAddress, _ driver: Network.Forward.Driver?, _ isManaged: Bool
    ) throws -> Self {
        var (managed, driver, address): (Bool?, Network.Forward.Driver?, Network.PCIAddress?) =
            (isManaged, driver, address)
        try x.attribute("managed", &managed) {
            NetworkXML.malformed("Invalid managed setting '\($0)' in network port")
        }
        try x.group("driver") {
            try $0.attribute("name", &driver) { _ in NetworkXML.malformed("Missing network port driver name") }
        }
        try x.element("address", &address)
        guard let address else { throw NetworkXML.malformed("Missing network port PCI address") }
        return .hostdev(address: address, driver: driver, isManaged: managed ?? false)
    }
}

extension NetworkPort {
    /// Reads a port's definition.
    package static func parse(_ bytes: some Sequence<UInt8>) throws -> NetworkPort {
        let root = try XMLDocument.root(
            "networkport", of: bytes, name: "networkport_definition", domain: .network)
        return try ElementReader.read(root)
    }

    /// The definition as libvirt prints it.
    package func format(depth: Int = 0) throws -> String {
        try ElementWriter.document("networkport", self, depth: depth)
    }
}
