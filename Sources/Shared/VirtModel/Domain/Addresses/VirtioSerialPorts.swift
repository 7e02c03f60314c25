import VirtCore
import VirtXML

/// The ports of the guest's virtio-serial controllers.
struct VirtioSerialPorts {
    private var controllers: [(index: UInt32, count: UInt32, taken: Set<UInt32>)] = []
    /// The ports of a controller that does not say how many it has.
    private static let standardCount: UInt32 = 31

    init(_ domain: borrowing Domain) throws {
        for i in domain.devices.controllers.indices where domain.devices.controllers[i].type == .virtioSerial {
            add(domain.devices.controllers[i])
        }
        var given: [VirtioSerialAddress] = []
        domain.eachInfo { info in
            if case .virtioSerial(let address) = info.address, address.port != 0 { given.append(address) }
        }
        for address in given { try reserve(address) }
    }

    private mutating func add(_ controller: Controller) {
        let index = controller.index ?? 0
        let count = controller.ports.map { $0 == UInt32.max ? Self.standardCount : $0 } ?? Self.standardCount
        let place = controllers.firstIndex { $0.index > index } ?? controllers.count
        controllers.insert((index, count, []), at: place)
    }

    private mutating func reserve(_ address: VirtioSerialAddress) throws {
        guard let place = controllers.firstIndex(where: { $0.index == address.controller }) else {
            throw VirtError.malformed("virtio serial controller \(address.controller) is missing", .none)
        }
        guard address.bus == 0 else {
            throw VirtError.malformed("virtio serial bus \(address.bus) is out of range", .none)
        }
        guard address.port < controllers[place].count else {
            throw VirtError.malformed(
                "virtio serial port \(address.port) is out of range for controller \(address.controller)", .none)
        }
        guard controllers[place].taken.insert(address.port).inserted else {
            throw VirtError.malformed(
                "virtio serial port \(address.port) on controller \(address.controller) is already occupied", .none)
        }
    }

    /// A port for a device that has none. A console takes its place, but QEMU chooses its port.
    mutating func assign(_ domain: inout Domain, _ info: inout DeviceInfo, isConsole: Bool) throws {
        var wanted: UInt32?
        if case .virtioSerial(let address) = info.address {
            if address.port != 0 { return }
            wanted = address.controller
        }
        let address = try next(&domain, controller: wanted, first: isConsole ? 0 : 1)
        try reserve(address)
        if !isConsole { info.address = .virtioSerial(address) }
    }

    private mutating func next(_ domain: inout Domain, controller: UInt32?, first: UInt32) throws -> VirtioSerialAddress
    {
        for candidate in controllers where controller == nil || candidate.index == controller {
            let start = controller == nil ? first : 1
            guard start < candidate.count else { continue }
            if let port = (start..<candidate.count).first(where: { !candidate.taken.contains($0) }) {
                return VirtioSerialAddress(controller: candidate.index, port: port)
            }
        }
        if let controller {
            throw VirtError.malformed("Unable to find a free port on virtio-serial controller \(controller)", .none)
        }
        var index: UInt32 = 0
        while domain.controller(.virtioSerial, index) != nil { index += 1 }
        let new = Controller(.virtioSerial, index: index)
        domain.devices.controllers.append(new)
        add(new)
        return VirtioSerialAddress(controller: index, port: first)
    }
}
