import VirtCore
import VirtXML

/// The ports of the guest's USB controllers and hubs.
struct USBTopology {
    /// A controller or a hub: its ports, and the hubs on them.
    private struct Node {
        var ports: UInt32
        var taken: Set<UInt32> = []
        var hubs: [UInt32: Int] = [:]
    }

    static let hubPorts: UInt32 = 8
    private var nodes: [Node] = []
    private var buses: [UInt32: Int] = [:]

    mutating func addController(_ controller: Controller) throws {
        let ports = controller.usbPorts
        guard ports > 0, let index = controller.index else { return }
        guard buses[index] == nil else {
            throw VirtError.malformed("Duplicate USB controllers with index \(index)", .none)
        }
        buses[index] = nodes.count
        nodes.append(Node(ports: ports))
    }

    mutating func addHub(at address: USBAddress) throws {
        let (node, port) = try find(address)
        guard nodes[node].hubs[port] == nil else {
            throw VirtError.malformed("Duplicate USB hub on bus \(address.bus) port \(address.port)", .none)
        }
        nodes[node].taken.insert(port)
        nodes[node].hubs[port] = nodes.count
        nodes.append(Node(ports: Self.hubPorts))
    }

    mutating func reserve(_ address: USBAddress) throws {
        let (node, port) = try find(address)
        guard nodes[node].taken.insert(port).inserted else {
            throw VirtError.malformed("Duplicate USB address bus \(address.bus) port \(address.port)", .none)
        }
    }

    /// The controller or hub that an address leads to, and the port there.
    private func find(_ address: USBAddress) throws -> (node: Int, port: UInt32) {
        guard var node = buses[address.bus] else { throw VirtError.malformed("Missing USB bus \(address.bus)", .none) }
        for port in address.path.dropLast() {
            guard port <= nodes[node].ports else {
                throw VirtError.malformed(
                    "port \(port) out of range in USB address bus: \(address.bus) port: \(address.port)", .none)
            }
            guard let hub = nodes[node].hubs[port] else {
                throw VirtError.malformed(
                    "there is no hub at port \(port) in USB address bus: \(address.bus) port: \(address.port)", .none)
            }
            node = hub
        }
        guard let port = address.path.last, port >= 1, port <= nodes[node].ports else {
            throw VirtError.malformed("requested USB port \(address.port) not present on USB bus \(address.bus)", .none)
        }
        return (node, port)
    }

    /// The first free port on a bus, or on any.
    mutating func next(bus: UInt32?) throws -> USBAddress {
        if let bus, buses[bus] == nil {
            throw VirtError.malformed("USB bus \(bus) requested but no controller with that index is present", .none)
        }
        for (index, node) in buses.sorted(by: { $0.key < $1.key }) where bus == nil || bus == index {
            if let path = freePath(node, 0) {
                let address = USBAddress(bus: index, path: path)
                try reserve(address)
                return address
            }
        }
        throw VirtError(.internalError, .none, "No free USB ports")
    }

    private func freePath(_ node: Int, _ level: Int) -> [UInt32]? {
        let own = nodes[node]
        if own.ports > 0, let free = (1...own.ports).first(where: { !own.taken.contains($0) }) { return [free] }
        guard level < 3 else { return nil }
        for (port, hub) in own.hubs.sorted(by: { $0.key < $1.key }) {
            if let rest = freePath(hub, level + 1) { return [port] + rest }
        }
        return nil
    }
}

extension Controller {
    /// How many devices a USB controller takes; companions have none of their own.
    fileprivate var usbPorts: UInt32 {
        guard type == .usb else { return 0 }
        switch model {
        case .piix3UHCI, .piix4UHCI, .vt82c686bUHCI, nil: return 2
        case .ehci, .ich9EHCI1: return 6
        case .pciOHCI: return 3
        case .necXHCI, .qemuXHCI: return min(ports ?? 4, 255)
        case .qusb1, .qusb2: return min(ports ?? 8, 255)
        default: return 0
        }
    }
}

extension DomainCompletion {
    /// Ports for USB devices; hubs are added when there are not enough.
    func assignUSB(_ domain: inout Domain) throws {
        try addHubs(&domain)
        var topology = USBTopology()
        for i in domain.devices.controllers.indices { try topology.addController(domain.devices.controllers[i]) }
        for hub in domain.devices.hubs {
            if case .usb(let address) = hub.info.address, !address.path.isEmpty { try topology.addHub(at: address) }
        }
        try domain.visitUSB(hubs: false) { info in
            if case .usb(let address) = info.address, !address.path.isEmpty { try topology.reserve(address) }
        }
        for index in domain.devices.hubs.indices {
            var info = domain.devices.hubs[index].info
            guard info.wantsUSB else { continue }
            let address = try topology.next(bus: info.usbBus)
            info.address = .usb(address)
            domain.devices.hubs[index].info = info
            try topology.addHub(at: address)
        }
        try domain.visitUSB(hubs: false) { info in
            if info.wantsUSB { info.address = .usb(try topology.next(bus: info.usbBus)) }
        }
    }

    private func addHubs(_ domain: inout Domain) throws {
        var devices = 0
        domain.visitUSB(hubs: true) { _ in devices += 1 }
        var hasUSB = false
        var ports = 0
        for i in domain.devices.controllers.indices where domain.devices.controllers[i].type == .usb {
            if domain.devices.controllers[i].model != ControllerModel.none { hasUSB = true }
            ports += Int(domain.devices.controllers[i].usbPorts)
        }
        if devices > 0, !hasUSB {
            throw VirtError.unsupported(
                "USB is disabled for this domain, but USB devices are present in the domain XML", .qemu)
        }
        let available = ports + domain.devices.hubs.count * Int(USBTopology.hubPorts)
        guard devices > available else { return }
        let perHub = Int(USBTopology.hubPorts) - 1
        let needed = (devices - available + 1 + perHub - 1) / perHub
        for _ in 0..<needed { domain.devices.hubs.append(Hub()) }
    }
}

extension DeviceInfo {
    /// No address, or one that leaves the port to libvirt.
    fileprivate var wantsUSB: Bool {
        switch address {
        case nil: true
        case .usb(let address): address.path.isEmpty
        default: false
        }
    }

    /// The bus that the device is to be on.
    fileprivate var usbBus: UInt32? {
        if case .usb(let address) = address { return address.bus }
        return nil
    }
}

extension Domain {
    /// All USB devices, in libvirt's order.
    fileprivate mutating func visitUSB(hubs: Bool, _ body: (inout DeviceInfo) throws -> Void) rethrows {
        if hubs {
            for i in devices.hubs.indices { try body(&devices.hubs[i].info) }
        }
        for i in devices.hostdevs.indices where devices.hostdevs[i].type == .usb { try body(&devices.hostdevs[i].info) }
        for i in devices.disks.indices where devices.disks[i].target.bus == .usb { try body(&devices.disks[i].info) }
        for i in devices.controllers.indices where devices.controllers[i].type == .ccid {
            try body(&devices.controllers[i].info)
        }
        for i in devices.inputs.indices where devices.inputs[i].bus == .usb { try body(&devices.inputs[i].info) }
        for i in devices.serials.indices where devices.serials[i].target == .usb { try body(&devices.serials[i].info) }
        for i in devices.sounds.indices where devices.sounds[i].model == .usb { try body(&devices.sounds[i].info) }
        for i in devices.redirectedDevices.indices { try body(&devices.redirectedDevices[i].info) }
    }
}
