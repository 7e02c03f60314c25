package import VirtCore
package import VirtXML

/// What an interface is connected to (`<source>`); which parts there are depends on the type.
package struct InterfaceSource: Equatable, Sendable {
    package enum DirectMode: String, XMLEnum { case vepa, `private`, bridge, passthrough }

    /// The interface's type.
    package var type = Interface.Kind.user
    package var network: String?
    package var portGroup: String?
    package var portID: UUID?
    package var bridge: String?
    /// Who tells the bridge of the guest's addresses; only of a running guest.
    package var macTableManager: String?
    package var dev: String?
    package var mode: DirectMode?
    package var address: String?
    package var port: UInt32?
    package var localAddress: String?
    package var localPort: UInt32?
    package var name: String?
    package var vhostUser: VhostUserSource?
    package var reconnect: DiskNetwork.Reconnect?
    package var hostAddress: DeviceAddress?
    /// What the host's side gets.
    package var addresses: [InterfaceIP] = []
    package var routes: [InterfaceRoute] = []

    package var switchID: UUID?
    package var switchPort: Int64?
    package var switchPortGroup: String?
    package var switchConnection: Int64?

    package init() {}

    /// Maps the element itself: whether it is there at all depends on the type.
    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        if let node = x.node { try checkPresence(node) }
        try x.group("source") { try mapContents(&$0) }
        if x.isReading { try check() }
    }

    /// Some kinds say all that they are in their source.
    private func checkPresence(_ node: XMLNode) throws(VirtError) {
        let source = node.child("source")
        switch type {
        case .hostdev where source?.child("address") == nil: throw VirtError.malformed("missing source address type")
        case .server, .client, .mcast, .udp:
            guard source == nil else { return }
            throw VirtError.malformed("interface type='\(type.rawValue)' requires a 'source' element")
        default: return
        }
    }

    private mutating func mapContents<M: ElementMapper>(_ x: inout M) throws {
        // Of an interface that got its bridge or device from a network, the live document shows both.
        if type == .network || !x.isReading {
            try x.attribute("network", &network)
            try x.attribute("portgroup", &portGroup)
            if !x.flags.contains(.inactive) { try x.attribute("portid", &portID) }
        }
        switch type {
        case .network where x.flags.contains(.inactive) || x.flags.contains(.status): break
        case .network, .bridge:
            try x.attribute("bridge", &bridge)
            if !x.isReading { try x.attribute("macTableManager", &macTableManager) }
        case .ethernet:
            try x.attribute("dev", &dev)
            try x.elements("ip", &addresses)
            try x.elements("route", &routes)
        case .vdpa: try x.attribute("dev", &dev)
        case .direct:
            try x.attribute("dev", &dev)
            try x.attribute("mode", &mode)
            if x.isReading, mode == nil { mode = .vepa }
        case .server, .client, .mcast, .udp:
            try x.attribute("address", &address)
            try x.attribute("port", &port)
            try x.group("local") { x in
                try x.attribute("address", &localAddress)
                try x.attribute("port", &localPort)
            }
        case .internal: try x.attribute("name", &name)
        case .vhostuser: try mapVhostUser(&x)
        case .hostdev: try x.element("address", &hostAddress)
        case .user: try x.attribute("dev", &dev)
        case .vds: try mapSwitch(&x)
        case .null: break
        }
    }

    /// A port of a VMware distributed switch.
    private mutating func mapSwitch<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("switchid", &switchID)
        try x.attribute("portid", &switchPort)
        try x.attribute("portgroupid", &switchPortGroup)
        try x.attribute("connectionid", &switchConnection)
    }

    /// With what a running guest's network gave it.
    func running(_ actual: ActualInterface) -> InterfaceSource {
        var shown = actual.source
        shown.type = actual.type
        shown.network = network
        shown.portGroup = portGroup
        shown.portID = portID
        return shown
    }

    private mutating func mapVhostUser<M: ElementMapper>(_ x: inout M) throws {
        var source = vhostUser ?? VhostUserSource()
        try source.map(&x)
        vhostUser = source
        try x.element("reconnect", &reconnect)
    }

    private func check() throws(VirtError) {
        switch type {
        case .network where network == nil:
            throw VirtError.malformed("No <source> 'network' attribute specified with <interface type='network'/>")
        case .bridge where bridge == nil:
            throw VirtError.malformed("No <source> 'bridge' attribute specified with <interface type='bridge'/>")
        case .direct where dev == nil:
            throw VirtError.malformed("No <source> 'dev' attribute specified with <interface type='direct'/>")
        default: return
        }
    }
}

/// What the network gave a running guest's interface (`<actual>` in status documents).
package struct ActualInterface: Equatable, Sendable, XMLMappable {
    package var type = Interface.Kind.bridge
    package var managed: Bool?
    package var trustGuestRxFilters: Bool?
    package var source = InterfaceSource()
    package var vlan: VLAN?
    package var virtualPort: VirtualPort?
    package var bandwidth: Bandwidth?
    /// The class of the network's traffic shaping that the interface is in.
    package var classID: UInt32?
    package var isIsolated: Bool?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &type)
        source.type = type
        try x.attribute("managed", &managed)
        try x.attribute("trustGuestRxFilters", &trustGuestRxFilters)
        try x.group("source") { x in
            switch type {
            case .bridge, .network:
                try x.attribute("bridge", &source.bridge)
                try x.attribute("macTableManager", &source.macTableManager)
            case .direct:
                try x.attribute("dev", &source.dev)
                try x.attribute("mode", &source.mode)
            case .hostdev: try x.element("address", &source.hostAddress)
            default: break
            }
        }
        try x.group("class") { x in try x.attribute("id", &classID) }
        try x.element("vlan", &vlan)
        try x.element("virtualport", &virtualPort)
        try x.element("bandwidth", &bandwidth)
        try x.valueElement("port", "isolated", &isIsolated)
    }
}
