import VirtCore
import VirtXML

extension Domain {
    /// Gives addresses to devices that were put in after the definition was complete.
    package mutating func reassignAddresses(_ context: DomainCompletionContext) throws {
        guard let emulator = context.emulator(of: self) else { return }
        try DomainCompletion(self, context, emulator, isNew: true).assignAddresses(&self)
    }
}

extension DomainCompletion {
    /// Gives each device that has none its address, kind by kind.
    func assignAddresses(_ domain: inout Domain) throws {
        try assignVirtioSerial(&domain)
        try assignSpaprVIO(&domain)
        if machine.isS390CCW { try assignCCW(&domain) }
        try assignVirtioMMIO(&domain)
        try assignPCI(&domain)
        try assignUSB(&domain)
        try assignMemorySlots(&domain)
    }

    private func assignPCI(_ domain: inout Domain) throws {
        let controllers = domain.devices.controllers
        let indexes = controllers.indices.compactMap { controllers[$0].type == .pci ? controllers[$0].index : nil }
        var count = indexes.max().map { Int($0) + 1 } ?? 0
        let known = Set(indexes)
        guard count <= 256 else { throw VirtError.malformed("Too many PCI controllers", .none) }
        if count > 0 { count = try addMissingBuses(&domain, count) }
        var assignment = try PCIAssignment(&domain, self, busCount: count, isTrial: false)
        guard machine.supportsPCI else { return }
        try assignment.placeChipset(&domain)
        try assignment.placeDevices(&domain)
        if emulator.has("zpci"), machine.isS390 { try domain.assignZPCI(controllers: known) }
        try domain.markMultifunction()
        for index in domain.devices.controllers.indices where domain.devices.controllers[index].type == .pci {
            try completeTarget(index, &domain)
        }
    }

    /// The trial run, and the controllers that it found missing. Returns how many buses there are then.
    private func addMissingBuses(_ domain: inout Domain, _ count: Int) throws -> Int {
        // The trial must leave no addresses behind except those of the chipset, which don't change.
        var trial = try PCIAssignment(&domain, self, busCount: count, isTrial: true)
        try trial.placeChipset(&domain)
        let root = domain.controller(.pci, 0)?.model
        if root == .pciRoot, !trial.topology.buses.allSatisfy(\.isFull) {
            // A place for a device that comes later.
            _ = try trial.topology.reserveNext(PCIPolicy.legacy)
        }
        try trial.placeDevices(&domain)
        if count <= 1, trial.topology.buses.count > count, root == .pcieRoot {
            _ = try trial.topology.reserveNext([.pcieDevice, .autoAssign])
        }
        var index = 1
        while index < trial.topology.buses.count {
            let model = trial.topology.buses[index].model
            if domain.addController(.pci, UInt32(truncatingIfNeeded: index), model), !model.upstream.isEmpty {
                _ = try trial.topology.reserveNext(model.upstream)
            }
            index += 1
        }
        return trial.topology.buses.count
    }

    /// What a PCI controller is called in QEMU, and its numbers.
    private func completeTarget(_ position: Int, _ domain: inout Domain) throws {
        let controller = domain.devices.controllers[position]
        var target = controller.target ?? Controller.Target()
        let place = controller.info.address?.pci ?? PCIAddress()
        switch controller.model {
        case .pciBridge:
            if target.chassisNumber == nil { target.chassisNumber = controller.index }
            if let index = controller.index, index <= place.bus {
                throw VirtError.unsupported(
                    "PCI controller at index \(index) (0x\(hex(index))) has bus='0x\(hex(place.bus))', but "
                        + "index must be larger than bus",
                    .qemu)
            }
        case .pcieRootPort:
            if target.chassis == nil { target.chassis = controller.index }
            if target.port == nil { target.port = place.slot << 3 + place.function }
        case .pcieSwitchDownstreamPort:
            if target.chassis == nil { target.chassis = controller.index }
            if target.port == nil { target.port = place.slot }
        case .pciExpanderBus, .pcieExpanderBus:
            if target.busNumber == nil { target.busNumber = try domain.freeBusNumber(place.bus) }
        case .pciRoot where machine.isPSeries:
            if target.index == nil { target.index = controller.index == 0 ? 0 : try domain.freeTargetIndex() }
        default: break
        }
        if controller.modelName == nil {
            domain.devices.controllers[position].modelName = defaultModelName(controller)
        }
        domain.devices.controllers[position].target = target.isEmpty ? nil : target
    }

    private func hex(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return digits.utf8.count < 2 ? "0" + digits : digits
    }

    private func defaultModelName(_ controller: Controller) -> String? {
        switch controller.model {
        case .pciBridge: "pci-bridge"
        case .dmiToPCIBridge: "i82801b11-bridge"
        case .pcieToPCIBridge: "pcie-pci-bridge"
        case .pcieRootPort: emulator.has("pcie-root-port") ? "pcie-root-port" : "ioh3420"
        case .pcieSwitchUpstreamPort: "x3130-upstream"
        case .pcieSwitchDownstreamPort: "xio3130-downstream"
        case .pciExpanderBus: "pxb"
        case .pcieExpanderBus: "pxb-pcie"
        case .pciRoot: machine.isPSeries ? "spapr-pci-host-bridge" : nil
        default: nil
        }
    }
}

extension MachineKind {
    /// Whether devices are given PCI addresses.
    fileprivate var supportsPCI: Bool {
        if isARM { return isARMVirt || machine == "versatilepb" }
        if isRISCV { return isRISCVVirt }
        return true
    }
}

extension Domain {
    /// Function 0 of a slot says so when there are others.
    fileprivate mutating func markMultifunction() throws {
        var slots: Set<Slot> = []
        eachInfo { info in
            guard let address = info.address?.pci, address.function != 0 else { return }
            slots.insert(Slot(address))
        }
        guard !slots.isEmpty else { return }
        var mark = MultifunctionMark(slots: slots)
        try visitDevices(&mark)
    }

    fileprivate func freeTargetIndex() throws -> UInt32 {
        let used = Set(devices.controllers.compactMap { $0.model == .pciRoot ? $0.target?.index : nil })
        guard let free = (UInt32(1)...31).first(where: { !used.contains($0) }) else {
            throw VirtError.unsupported("No usable target index found for 0", .qemu)
        }
        return free
    }

    /// Expander buses are numbered downwards, with room for the buses behind them.
    fileprivate func freeBusNumber(_ bus: UInt32) throws -> UInt32 {
        let lowest = devices.controllers.compactMap { $0.type == .pci ? $0.target?.busNumber : nil }.min() ?? 256
        guard lowest > 2 else {
            throw VirtError.unsupported(
                "No free busNr lower than current lowest busNr is available to auto-assign to bus \(bus). Must "
                    + "be manually assigned",
                .qemu)
        }
        return lowest - 2
    }
}

/// A slot with all its functions.
private struct Slot: Hashable {
    let domain, bus, slot: UInt32

    init(_ address: PCIAddress) {
        domain = address.domain
        bus = address.bus
        slot = address.slot
    }
}

/// Sets the mark in the slots that have other functions than 0.
private struct MultifunctionMark: DeviceVisitor {
    let slots: Set<Slot>

    func visit(_ device: inout some AddressedDevice) {
        guard var address = device.info.address?.pci, address.function == 0, address.multifunction == nil,
            !address.isEmpty, slots.contains(Slot(address))
        else { return }
        address.multifunction = true
        device.info.address = .pci(address)
    }
}
