import VirtCore
package import VirtXML

/// A network interface (`<interface>`).
package struct Interface: GuestDevice {
    package enum Kind: String, XMLEnum {
        case user, ethernet, vhostuser, server, client, mcast, network, bridge, `internal`, direct, hostdev, udp, vdpa
        case vds, null
    }
    package enum MACType: String, XMLEnum { case generated, `static` }
    package enum LinkState: String, XMLEnum { case up, down }

    package var type = Kind.user
    /// A host device goes back to its driver when the guest ends.
    package var managed: Bool?
    package var trustGuestRxFilters: Bool?
    package var mac: MACAddress?
    package var macType: MACType?
    package var macCheck: Bool?
    package var source = InterfaceSource()
    /// What a running guest's network gave it; only in status documents.
    @Boxed package var actual: ActualInterface? = nil
    package var vlan: VLAN?
    @Boxed package var virtualPort: VirtualPort? = nil
    @Boxed package var bandwidth: Bandwidth? = nil
    package var addresses: [InterfaceIP] = []
    package var routes: [InterfaceRoute] = []
    package var script: String?
    package var downScript: String?
    /// The domain of a Xen host that serves the interface.
    package var backendDomain: String?
    package var targetDevice: String?
    package var targetManaged: Bool?
    package var model: String?
    package var driver: InterfaceDriver?
    package var backend: Backend?
    package var filter: NetworkFilterReference?
    package var link: LinkState?
    package var mtu: UInt32?
    /// Guests whose ports are isolated do not see each other.
    package var isIsolated: Bool?
    package var coalesce: Coalesce?
    package var teaming: Teaming?
    package var sendBuffer: UInt64?
    package var portForwards: [PortForward] = []
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        if !x.isReading, x.flags.isDisjoint(with: [.inactive, .status]), var running {
            return try running.mapParts(&x)
        }
        try mapParts(&x)
    }

    /// As the live document shows an interface on a network: what it got from there is what it is.
    private var running: Interface? {
        guard type == .network, let actual else { return nil }
        var shown = self
        shown.actual = nil
        shown.type = actual.type
        shown.managed = actual.managed
        shown.trustGuestRxFilters = actual.trustGuestRxFilters
        shown.source = source.running(actual)
        shown.vlan = actual.vlan ?? vlan
        shown.virtualPort = actual.virtualPort
        shown.bandwidth = actual.bandwidth
        shown.isIsolated = actual.isIsolated
        return shown
    }

    private mutating func mapParts<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &type)
        source.type = type
        if x.isReading || type == .hostdev { try x.attribute("managed", &managed) }
        try x.attribute("trustGuestRxFilters", &trustGuestRxFilters)
        try x.group("mac") { try mapMAC(&$0) }
        // A host device's driver is part of what it is, and stands before it.
        if type == .hostdev { try x.element("driver", &driver) }
        try source.map(&x)
        try x.element("vlan", &vlan)
        try x.element("virtualport", &virtualPort)
        try x.element("bandwidth", &bandwidth)
        try x.valueElement("port", "isolated", &isIsolated)
        if x.flags.contains(.status) { try x.element("actual", &actual) }
        try x.elements("ip", &addresses)
        try x.elements("route", &routes)
        try x.valueElement("script", "path", &script)
        try x.valueElement("downscript", "path", &downScript)
        try x.valueElement("backenddomain", "name", &backendDomain)
        try x.group("target") { try mapTarget(&$0) }
        try x.valueElement("model", "type", &model)
        if type != .hostdev { try x.element("driver", &driver) }
        try x.element("backend", &backend)
        try x.element("filterref", &filter)
        try x.valueElement("link", "state", &link)
        try x.valueElement("mtu", "size", &mtu)
        try x.element("coalesce", &coalesce)
        try x.element("teaming", &teaming)
        try x.group("tune") { try $0.textElement("sndbuf", &sendBuffer) }
        try x.elements("portForward", &portForwards)
        try info.map(&x, [.boot, .rom])
        if x.isReading { try dropForeignParts() }
    }

    /// Parts that an interface of the type or model does not have are ignored, as libvirt does.
    private mutating func dropForeignParts() throws(VirtError) {
        let isVirtio = model?.lowercased().hasPrefix("virtio") == true
        if !isVirtio || type == .hostdev {
            if !isVirtio { try driver?.virtio.refuse() }
            let name = driver?.name
            driver = nil
            if type == .hostdev, let name {
                driver = InterfaceDriver()
                driver?.name = name
            }
        }
        if coalesce?.receiveFramesMaximum ?? 0 == 0 { coalesce = nil }
        if !isVirtio { backend?.vhost = nil }
        model = model.map { Self.knownModels.contains($0.lowercased()) ? $0.lowercased() : $0 }
        switch type {
        case .ethernet, .network, .bridge: break
        default: filter = nil
        }
    }

    /// Models whose names are known in any case of letters.
    private static let knownModels: Set<String> = [
        "virtio", "virtio-transitional", "virtio-non-transitional", "e1000", "e1000e", "igb", "rtl8139", "netfront",
        "lan9118", "smc91c111", "spapr-vlan", "usb-net", "82540em", "82545em", "82543gc", "am79c970a", "am79c973",
        "vlance", "vmxnet", "vmxnet2", "vmxnet3",
    ]

    private mutating func mapMAC<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("address", &mac, invalid: .malformed("unable to parse mac address"))
        try x.attribute("type", &macType)
        try x.attribute("check", &macCheck)
        if x.isReading, let mac, mac.isMulticast {
            throw VirtError.malformed("expected unicast mac address, found multicast '\(mac)'")
        }
    }

    /// Names that libvirt makes up are not part of a definition.
    private mutating func mapTarget<M: ElementMapper>(_ x: inout M) throws {
        let isDefinition = x.flags.contains(.inactive)
        var shown = isDefinition && hasGeneratedTarget ? nil : targetDevice
        try x.attribute("dev", &shown)
        if type == .ethernet { try x.attribute("managed", &targetManaged) }
        guard x.isReading else { return }
        targetDevice = shown
        if isDefinition, hasGeneratedTarget { targetDevice = nil }
    }

    private var hasGeneratedTarget: Bool {
        guard let targetDevice else { return false }
        return ["vnet", "vif", "macvtap", "macvlan"].contains { targetDevice.hasPrefix($0) }
    }

    /// Which host devices are used for taps and vhost.
    package struct Backend: Equatable, Sendable, XMLMappable {
        package var type: String?
        package var logFile: String?
        package var tap: String?
        package var vhost: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("type", &type)
            try x.attribute("logFile", &logFile)
            try x.attribute("tap", &tap)
            try x.attribute("vhost", &vhost)
        }
    }

    /// Two interfaces of which the guest uses one at a time.
    package struct Teaming: Equatable, Sendable, XMLMappable {
        package enum Kind: String, XMLEnum { case persistent, transient }
        package var type = Kind.persistent
        /// The alias of the other one, for a transient one.
        package var persistent: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("type", &type)
            try x.attribute("persistent", &persistent)
        }
    }

    package struct Coalesce: Equatable, Sendable, XMLMappable {
        package var receiveFramesMaximum: UInt32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.group("rx") { try $0.valueElement("frames", "max", &receiveFramesMaximum) }
        }
    }
}

extension Interface {
    mutating func complete(_ context: DomainCompletion) {
        if mac == nil { mac = .random() }
        guard model == nil, type != .hostdev else { return }
        model = type == .vdpa ? "virtio" : Self.defaultModel(context.emulator, context.machine)
    }

    private static func defaultModel(
        _ emulator: DomainCompletionContext.Emulator, _ machine: MachineKind
    ) -> String {
        if machine.isS390 || machine.isARMVirt || machine.isRISCVVirt { return "virtio" }
        if machine.isARM { return machine.machine == "versatilepb" ? "smc91c111" : "lan9118" }
        if emulator.has("rtl8139") { return "rtl8139" }
        if emulator.has("e1000") { return "e1000" }
        return emulator.has("virtio-net") ? "virtio" : "rtl8139"
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        try info.validate(context)
        if type != .user, !addresses.isEmpty || !routes.isEmpty {
            throw VirtError.unsupported(
                "Invalid attempt to set network interface guest-side IP route and/or address info, not supported by "
                    + "QEMU",
                .qemu)
        }
        if let model, !model.utf8.allSatisfy(Self.isModelCharacter) {
            throw VirtError(.invalidArg, .domain, "Model name contains invalid characters")
        }
        if type != .network, bandwidth?.inbound?.floor ?? 0 > 0 {
            throw VirtError.unsupported("floor attribute is not supported for this config", .qemu)
        }
        guard let driver else { return }
        for (name, size) in [("rx_queue_size", driver.receiveQueueSize), ("tx_queue_size", driver.transmitQueueSize)] {
            guard let size, size != 0, size & (size - 1) != 0 else { continue }
            throw VirtError.unsupported("\(name) has to be a power of two", .qemu)
        }
    }

    private static func isModelCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension Interface: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        if type == .hostdev { return policy.express }
        switch model {
        case "virtio", "virtio-non-transitional", "e1000e", "igb", nil: return policy.express
        case "usb-net": return []
        default: return PCIPolicy.legacy
        }
    }

    func isVirtio(ccw: Bool) -> Bool { model?.hasPrefix("virtio") == true && type != .hostdev }
}
