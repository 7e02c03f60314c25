import VirtCore
import VirtModel

/// What an interface gets from the network that it is connected to. Pure: nothing here touches the host.
enum PortAllocation {
    /// Fills in what the interface leaves to its port group and the network.
    static func complete(_ port: inout NetworkPort, in network: Network) throws(VirtError) {
        let group = network.portGroup(named: port.group)
        if port.bandwidth == nil { port.bandwidth = group?.bandwidth }
        if port.vlan == nil { port.vlan = group?.vlan ?? network.vlan }
        if port.trustsGuestReceiveFilters == nil {
            port.trustsGuestReceiveFilters = group?.trustsGuestReceiveFilters ?? network.trustsGuestReceiveFilters
        }
        if port.isIsolated == nil { port.isIsolated = network.isolatesPorts }
        let merged = try VirtualPort.merge(
            interface: port.virtualPort, network: network.virtualPort, portGroup: group?.virtualPort)
        if let merged { port.virtualPort = merged }
    }

    /// Decides what the interface is plugged into; returns the device of the pool that it uses.
    static func plug(_ port: inout NetworkPort, into network: Network) throws(VirtError) -> Int? {
        let bridge = network.bridge
        switch network.forward?.mode {
        case .nat, .route, .open, nil:
            port.plug = .network(bridge: bridge.name ?? "", macTableManager: bridge.macTableManager)
            try check(port, network, allowed: [], "IP forwarding")
            return nil
        case .hostdev:
            return try plugHostDevice(&port, network)
        case .bridge:
            if let name = bridge.name {
                port.plug = .bridge(name, macTableManager: bridge.macTableManager)
                try check(port, network, allowed: [.openVSwitch], "a bridge device")
                return nil
            }
            return try plugDirect(&port, network, .bridge)
        case .private: return try plugDirect(&port, network, .private)
        case .vepa: return try plugDirect(&port, network, .vepa)
        case .passthrough: return try plugDirect(&port, network, .passthrough)
        }
    }

    private static func check(
        _ port: NetworkPort, _ network: Network, allowed: Set<VirtualPort.Kind>, _ medium: String
    ) throws(VirtError) {
        guard let virtualPort = port.virtualPort else { return }
        if let kind = virtualPort.kind, allowed.contains(kind) { return }
        throw VirtError(
            .configUnsupported, .network,
            "<virtualport type='\(virtualPort.kind?.rawValue ?? "none")'> not supported for network "
                + "'\(network.name)' which uses \(medium)")
    }

    private static func plugHostDevice(_ port: inout NetworkPort, _ network: Network) throws(VirtError) -> Int? {
        guard let forward = network.forward, let index = forward.devices.firstIndex(where: { $0.connections == 0 }),
            case .pci(let address) = forward.devices[index].kind
        else { throw exhausted(network) }
        port.plug = .hostdev(address: address, driver: forward.driver, isManaged: forward.isManaged)
        try check(port, network, allowed: [.qbg, .qbh], "an SR-IOV Virtual Function via PCI passthrough")
        return index
    }

    private static func plugDirect(
        _ port: inout NetworkPort, _ network: Network, _ mode: NetworkPort.DirectMode
    ) throws(VirtError) -> Int? {
        try check(port, network, allowed: [.qbg, .qbh], "a macvtap device")
        guard let forward = network.forward, !forward.devices.isEmpty || forward.physicalFunction != nil else {
            throw VirtError(
                .internalError, .network,
                "network '\(network.name)' uses a direct mode, but has no forward dev and no interface pool")
        }
        let index =
            needsExclusiveDevice(port, network)
            ? forward.devices.firstIndex { $0.connections == 0 }
            : forward.devices.indices.min { forward.devices[$0].connections < forward.devices[$1].connections }
        guard let index, case .interface(let device) = forward.devices[index].kind else { throw exhausted(network) }
        port.plug = .direct(device: device, mode: mode)
        return index
    }

    private static func exhausted(_ network: Network) -> VirtError {
        VirtError(
            .internalError, .network,
            "network '\(network.name)' requires exclusive access to interfaces, but none are available")
    }

    /// Whether a device of the pool serves one interface only.
    private static func needsExclusiveDevice(_ port: NetworkPort, _ network: Network) -> Bool {
        switch network.forward?.mode {
        case .passthrough: true
        case .private: port.virtualPort?.kind == .qbh
        case .nat, .route, .open, .bridge, .vepa, .hostdev, nil: false
        }
    }

    // MARK: Interfaces that are connected already

    /// The device that a reclaimed interface uses; refuses one that the network does not have or that is taken.
    static func findDevice(_ port: NetworkPort, in network: Network) throws(VirtError) -> Int? {
        let devices = network.forward?.devices ?? []
        switch port.plug {
        case .none: throw VirtError(.internalError, .network, "Unexpectedly got a network port without a plug")
        case .network, .bridge:
            guard network.bridge.name != nil else {
                throw VirtError(
                    .internalError, .network, "Unexpectedly got a network port without a network bridge")
            }
            return nil
        case .direct(let device, _):
            guard let index = devices.firstIndex(where: { $0.kind == .interface(device) }) else {
                throw VirtError(
                    .internalError, .network,
                    "network '\(network.name)' doesn't have dev='\(device)' in use by network port '\(port.uuid)'")
            }
            if devices[index].connections > 0, needsExclusiveDevice(port, network) {
                throw VirtError(
                    .internalError, .network,
                    "network '\(network.name)' claims dev='\(device)' is already in use by a different port")
            }
            return index
        case .hostdev(let address, _, _):
            guard let index = devices.firstIndex(where: { $0.kind == .pci(address) }) else {
                throw VirtError(
                    .internalError, .network,
                    "network '\(network.name)' doesn't have PCI device \(address) in use by network port")
            }
            if devices[index].connections > 0, network.forward?.mode == .hostdev {
                throw VirtError(
                    .internalError, .network,
                    "network '\(network.name)' claims the PCI device at domain=\(address.domain) "
                        + "bus=\(address.bus) slot=\(address.slot) function=\(address.function) is already in "
                        + "use by a different network port")
            }
            return index
        }
    }

    /// The device that a connected interface gives back.
    static func deviceInUse(_ port: NetworkPort, in network: Network) throws(VirtError) -> Int? {
        let devices = network.forward?.devices ?? []
        let (kind, mode, label): (Network.Device.Kind, String, String)
        switch port.plug {
        case .none, .network, .bridge: return nil
        case .direct(let device, _): (kind, mode, label) = (.interface(device), "direct", "dev='\(device)'")
        case .hostdev(let address, _, _): (kind, mode, label) = (.pci(address), "hostdev", "PCI device \(address)")
        }
        if devices.isEmpty {
            throw VirtError(
                .internalError, .network,
                "network '\(network.name)' uses a \(mode) mode, but has no forward dev and no interface pool")
        }
        guard let index = devices.firstIndex(where: { $0.kind == kind }) else {
            throw VirtError(
                .internalError, .network, "network '\(network.name)' doesn't have \(label) in use by domain")
        }
        return index
    }

    // MARK: Guaranteed rates

    /// Whether the network can keep one more promise; returns the rate that guaranteed and other traffic share, nil
    /// when nothing is to be done.
    static func checkBandwidth(
        _ new: Bandwidth?, replacing old: Bandwidth?, _ mac: MACAddress, _ status: NetworkStatus
    ) throws(VirtError) -> UInt64? {
        let network = status.network
        let wantsFloor = new?.hasFloor == true
        let misuse = "Invalid use of 'floor' on interface with MAC address \(mac) - "
        if wantsFloor, !network.isManaged {
            throw VirtError(
                .operationUnsupported, .network,
                misuse
                    + "'floor' is only supported for interface type 'network' "
                    + "with forward type 'nat', 'route', 'open' or none"
            )
        }
        guard let limit = network.bandwidth?.inbound else {
            guard wantsFloor else { return nil }
            throw VirtError(
                .operationUnsupported, .network, misuse + "network '\(network.name)' has no inbound QoS set")
        }
        guard wantsFloor || old?.hasFloor == true else { return nil }
        let base = status.floorSum - min(status.floorSum, old?.inbound?.floor ?? 0)
        let (sum, overflow) = base.addingReportingOverflow(new?.inbound?.floor ?? 0)
        let (label, most) = limit.peak > 0 ? ("peak", limit.peak) : ("average", limit.average)
        if overflow || sum > most {
            throw VirtError(
                .operationInvalid, .network,
                "Cannot plug '\(mac)' interface into '\(network.bridge.name ?? "")' because new combined "
                    + "inbound floor=\(sum) would overcommit \(label)=\(most) on network '\(network.name)'")
        }
        return most
    }
}

extension Network {
    /// Counts one more interface, and one more on its device.
    mutating func connect(_ device: Int?) {
        connections += 1
        if let device, forward?.devices.indices.contains(device) == true {
            forward?.devices[device].connections += 1
        }
    }

    mutating func disconnect(_ device: Int?) {
        connections = max(0, connections - 1)
        if let device, let count = forward?.devices[device].connections, count > 0 {
            forward?.devices[device].connections = count - 1
        }
    }
}
