import QEMUCommand
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// Network cards: a port on their network, a tap device on the bridge behind it.
extension DomainActor {
    /// Plugs all interfaces in; QEMU gets the tap devices.
    func plugInterfaces(_ plan: inout StartPlan) async throws {
        for index in plan.domain.devices.interfaces.indices {
            try await plugInterface(index, &plan)
        }
        live = plan.domain
    }

    private func plugInterface(_ index: Int, _ plan: inout StartPlan) async throws {
        var interface = plan.domain.devices.interfaces[index]
        if interface.type == .network {
            try await createPort(&interface)
            plan.domain.devices.interfaces[index] = interface
            let port = interface
            plan.undo.add("network port") { await self.deletePort(port) }
        }
        guard let bridge = try interface.tapBridge else { return }
        let (name, descriptor) = try makeTap(interface, bridge)
        interface.targetDevice = name
        plan.domain.devices.interfaces[index] = interface
        if let alias = interface.info.alias {
            plan.environment.interfaces[alias] = .init(tap: [plan.pass(descriptor)])
        }
    }

    func makeTap(_ interface: Interface, _ bridge: Interface.TapBridge) throws -> (String, DescriptorBox) {
        let wanted = interface.targetDevice.flatMap { $0.hasPrefix("vnet") || $0.contains("%") ? nil : $0 }
        let (name, descriptor) = try TapDevice.make(wanted, mac: interface.mac?.bytes ?? [], mtu: interface.mtu)
        try TapDevice.attach(name, bridge: bridge.name, up: interface.link != .down)
        return (name, descriptor)
    }

    /// Asks the network's daemon for a port: it says what to plug the card into.
    func createPort(_ interface: inout Interface) async throws {
        guard let network = interface.source.network else {
            throw VirtError(.internalError, .qemu, "interface without a network")
        }
        let daemon = try await networkDaemon()
        defer { daemon.close() }
        let found = try await daemon.client.call(RemoteProgram.NetworkLookupByName.self, .init(name: network)).net
        var port = NetworkPort()
        port.uuid = UUID.random()
        port.ownerName = name
        port.ownerUUID = uuid
        port.group = interface.source.portGroup
        if let mac = interface.mac { port.mac = mac }
        port.virtualPort = interface.virtualPort
        port.bandwidth = interface.bandwidth
        port.vlan = interface.vlan
        port.trustsGuestReceiveFilters = interface.trustGuestRxFilters
        port.isIsolated = interface.isIsolated
        let created = try await daemon.client.call(
            RemoteProgram.NetworkPortCreateXml.self, .init(network: found, xml: try port.format(), flags: 0)
        ).port
        let description = try await daemon.client.call(
            RemoteProgram.NetworkPortGetXmlDesc.self, .init(port: created, flags: 0)
        ).xml
        try interface.adopt(try NetworkPort.parse(description.utf8))
    }

    private func networkDaemon() async throws -> PeerDaemon {
        do {
            return try await PeerDaemon.connect("network", driver, loop: loop)
        } catch let error as VirtError where error.code == .systemError {
            throw VirtError(.operationInvalid, .qemu, "cannot reach the network driver: \(error.message)")
        }
    }

    /// Gives the ports of a guest's interfaces back; one that is gone already is no failure.
    func releaseNetworkPorts(of domain: Domain) async {
        for interface in domain.devices.interfaces where interface.type == .network {
            await deletePort(interface)
        }
    }

    func deletePort(_ interface: Interface) async {
        guard let network = interface.source.network, let port = interface.source.portID else { return }
        do {
            let daemon = try await PeerDaemon.connect("network", driver, loop: loop)
            defer { daemon.close() }
            let found = try await daemon.client.call(RemoteProgram.NetworkLookupByName.self, .init(name: network)).net
            _ = try await daemon.client.call(
                RemoteProgram.NetworkPortDelete.self, .init(port: .init(net: found, uuid: port), flags: 0))
        } catch {
            Self.log.warning("cannot delete port \(port) of network '\(network)': \(error)")
        }
    }
}

extension Interface {
    /// The bridge of an interface that is a tap device; without a name the tap stays alone.
    struct TapBridge: Sendable, Equatable {
        let name: String?
    }

    /// nil: the interface needs no tap device.
    var tapBridge: TapBridge? {
        get throws(VirtError) {
            switch type {
            case .bridge: return TapBridge(name: source.bridge)
            case .ethernet: return TapBridge(name: nil)
            case .network:
                guard let actual else { return nil }
                switch actual.type {
                case .bridge, .network: return TapBridge(name: actual.source.bridge)
                case .direct, .hostdev, .user, .ethernet, .vhostuser, .server, .client, .mcast, .internal, .udp, .vdpa,
                    .vds, .null:
                    throw VirtError(
                        .configUnsupported, .qemu,
                        "network interfaces of type '\(actual.type.rawValue)' are not supported")
                }
            case .user, .server, .client, .mcast, .udp, .vhostuser, .vdpa, .vds, .null, .internal, .hostdev: return nil
            case .direct:
                throw VirtError(.configUnsupported, .qemu, "network interfaces of type 'direct' are not supported")
            }
        }
    }

    /// Takes over what the network's daemon answered.
    mutating func adopt(_ port: NetworkPort) throws(VirtError) {
        source.portID = port.uuid
        var actual = ActualInterface()
        switch port.plug {
        case .network(let bridge, let manager):
            actual.type = .network
            actual.source.bridge = bridge
            actual.source.macTableManager = manager?.rawValue
        case .bridge(let bridge, let manager):
            actual.type = .bridge
            actual.source.bridge = bridge
            actual.source.macTableManager = manager?.rawValue
        case .direct, .hostdev, .none:
            throw VirtError(.configUnsupported, .qemu, "the network's port is of a kind that is not supported")
        }
        actual.source.type = actual.type
        actual.vlan = port.vlan
        actual.virtualPort = port.virtualPort
        actual.bandwidth = port.bandwidth
        actual.isIsolated = port.isIsolated
        actual.trustGuestRxFilters = port.trustsGuestReceiveFilters
        actual.classID = port.classID == 0 ? nil : port.classID
        self.actual = actual
    }
}
