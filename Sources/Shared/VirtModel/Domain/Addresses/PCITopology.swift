import VirtCore

/// The guest's PCI buses and what is taken on them.
struct PCITopology {
    struct Bus {
        let model: ControllerModel
        var accepts: PCIConnection
        let slots: ClosedRange<UInt32>
        /// The functions taken in each slot.
        var functions = InlineArray<32, UInt8>(repeating: 0)
        /// The slots that several devices share, one bit each.
        var shared: UInt32 = 0

        init(_ model: ControllerModel, hotplug: Bool = true) {
            self.model = model
            (accepts, slots) = model.downstream
            if !hotplug { accepts.remove(.hotpluggable) }
        }

        var isFull: Bool { slots.allSatisfy { functions[Int($0)] != 0 } }
    }

    private(set) var buses: [Bus]
    /// A trial run: buses are added where there is no place.
    let mayGrow: Bool
    let hasManyRoots: Bool
    let hasPCIeToPCIBridge: Bool

    func isTaken(bus: Int = 0, slot: UInt32) -> Bool {
        guard buses.indices.contains(bus), slot < 32 else { return false }
        return buses[bus].functions[Int(slot)] != 0
    }

    /// Takes a place that the document or the chipset gives.
    mutating func reserve(_ address: PCIAddress, _ needs: PCIConnection) throws {
        try reserve(address, needs, isGiven: true)
    }

    /// Takes the first free place for a device.
    mutating func reserveNext(_ needs: PCIConnection, function: UInt32 = 0) throws -> PCIAddress {
        let address = try nextAddress(needs, function)
        try reserve(address, needs, isGiven: false)
        return address
    }

    private mutating func reserve(_ given: PCIAddress, _ needs: PCIConnection, isGiven: Bool) throws {
        var address = given
        if mayGrow { try grow(for: &address, needs) }
        try check(address, needs, isGiven: isGiven)
        let bus = Int(address.bus)
        let slot = Int(address.slot)
        let bit: UInt8 = 1 << UInt8(truncatingIfNeeded: address.function & 7)
        guard buses[bus].functions[slot] & bit == 0 else {
            throw error(isGiven, "Attempted double use of PCI Address \(address.text)")
        }
        if buses[bus].functions[slot] == 0, needs.contains(.aggregate) { buses[bus].shared |= 1 << address.slot }
        buses[bus].functions[slot] |= bit
    }

    private func error(_ isGiven: Bool, _ text: String) -> VirtError {
        VirtError(isGiven ? .xmlError : .internalError, .none, text)
    }

    /// Whether the address is on a bus that takes the device.
    func check(_ address: PCIAddress, _ needs: PCIConnection, isGiven: Bool) throws {
        guard !buses.isEmpty else { throw error(isGiven, "No PCI buses available") }
        guard address.domain == 0 else {
            throw error(isGiven, "Invalid PCI address \(address.text). Only PCI domain 0 is available")
        }
        guard Int(address.bus) < buses.count else {
            throw error(
                isGiven, "Invalid PCI address \(address.text). Only PCI buses up to \(buses.count - 1) are available")
        }
        let bus = buses[Int(address.bus)]
        try checkKind(bus, address, needs, isGiven: isGiven)
        guard address.slot >= bus.slots.lowerBound else {
            throw error(isGiven, "Invalid PCI address \(address.text). slot must be >= \(bus.slots.lowerBound)")
        }
        guard address.slot <= bus.slots.upperBound else {
            throw error(isGiven, "Invalid PCI address \(address.text). slot must be <= \(bus.slots.upperBound)")
        }
        guard address.function <= 7 else {
            throw error(isGiven, "Invalid PCI address \(address.text). function must be <= 7")
        }
    }

    private func checkKind(
        _ bus: Bus, _ address: PCIAddress, _ needs: PCIConnection, isGiven: Bool
    ) throws {
        guard !fits(bus, needs, isGiven: isGiven) else { return }
        let place = "The device at PCI address \(address.text)"
        if !isGiven, needs.contains(.autoAssign), !bus.accepts.contains(.autoAssign) {
            throw error(
                isGiven,
                "\(place) was auto-assigned this address, but the PCI controller with index='\(address.bus)' "
                    + "doesn't allow auto-assignment"
            )
        }
        if needs.contains(.hotpluggable), !bus.accepts.contains(.hotpluggable) {
            throw error(
                isGiven,
                "\(place) requires hotplug capability, but the PCI controller with index='\(address.bus)' "
                    + "doesn't support hotplug"
            )
        }
        throw error(
            isGiven,
            "\(place) cannot be plugged into the PCI controller with index='\(address.bus)'. It requires a "
                + "controller that accepts a \(needs.name)."
        )
    }

    /// A user may put a PCI device into a PCI Express slot and the other way round; libvirt does not.
    private func fits(_ bus: Bus, _ needs: PCIConnection, isGiven: Bool) -> Bool {
        var accepts = bus.accepts
        var needs = needs
        if isGiven {
            if !accepts.isDisjoint(with: .endpoints) { accepts.formUnion(.endpoints) }
            if needs.contains(.pciBridge) { needs.insert(.pciDevice) }
        } else if needs.contains(.autoAssign), !accepts.contains(.autoAssign) {
            return false
        }
        if needs.contains(.hotpluggable), !accepts.contains(.hotpluggable) { return false }
        return !needs.intersection(accepts).isDisjoint(with: .kinds)
    }

    private mutating func nextAddress(_ needs: PCIConnection, _ function: UInt32) throws -> PCIAddress {
        guard !buses.isEmpty else { throw VirtError(.xmlError, .none, "No PCI buses available") }
        for (index, bus) in buses.enumerated() where fits(bus, needs, isGiven: false) {
            guard let place = freePlace(bus, needs, function) else { continue }
            return PCIAddress(bus: UInt32(truncatingIfNeeded: index), slot: place.slot, function: place.function)
        }
        guard mayGrow else { throw VirtError(.internalError, .none, "No more available PCI slots") }
        var address = PCIAddress(bus: UInt32(truncatingIfNeeded: buses.count), slot: 0, function: function)
        try grow(for: &address, needs)
        address.slot = buses[Int(address.bus)].slots.lowerBound
        return address
    }

    private func freePlace(_ bus: Bus, _ needs: PCIConnection, _ function: UInt32) -> (slot: UInt32, function: UInt32)?
    {
        for slot in bus.slots {
            let taken = bus.functions[Int(slot)]
            if taken == 0 { return (slot, function) }
            guard needs.contains(.aggregate), bus.shared & 1 << slot != 0, function == 0 else { continue }
            if let free = (UInt32(0)..<8).first(where: { taken & (1 << UInt8($0)) == 0 }) { return (slot, free) }
        }
        return nil
    }

    /// Adds the buses that are missing up to the address, of the kind that suits the device.
    private mutating func grow(for address: inout PCIAddress, _ needs: PCIConnection) throws {
        guard Int(address.bus) >= buses.count else { return }
        var missing = Int(address.bus) - buses.count + 1
        guard buses.count + missing <= 256 else { throw VirtError(.xmlError, .none, "Too many PCI buses") }
        if needs.contains(.pciDevice) {
            if hasManyRoots { return add(missing, .pciRoot) }
            let hasPlace = buses.contains { $0.accepts.contains(.pciBridge) }
            guard !hasPlace else { return add(missing, .pciBridge) }
            if missing == 1 {
                missing += 1
                address.bus += 1
            }
            addBridgeFromExpress(missing)
        } else if needs.contains(.pcieDevice) || needs.contains(.pcieSwitchUpstreamPort) {
            add(missing, .pcieRootPort)
        } else {
            throw VirtError(
                .internalError, .none,
                "a PCI slot is needed to connect a PCI controller model='\(needs.name)', but none is available, "
                    + "and it cannot be automatically added"
            )
        }
    }

    private mutating func add(_ count: Int, _ model: ControllerModel) {
        for _ in 0..<max(0, count) { buses.append(Bus(model)) }
    }

    /// A guest with nothing but PCI Express gets a bridge to old PCI: on a port of its own, or QEMU's older one.
    private mutating func addBridgeFromExpress(_ count: Int) {
        if hasPCIeToPCIBridge {
            var port = Bus(.pcieRootPort)
            port.accepts = .pcieToPCIBridge
            buses.append(port)
            buses.append(Bus(.pcieToPCIBridge))
            add(count - 2, .pciBridge)
        } else {
            buses.append(Bus(.dmiToPCIBridge, hotplug: false))
            add(count - 1, .pciBridge)
        }
    }
}
