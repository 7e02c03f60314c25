import VirtCore

/// Gives PCI devices their places. It runs twice: a trial that finds out which controllers are missing, then for good.
struct PCIAssignment {
    let machine: MachineKind
    let policy: PCIPolicy
    var topology: PCITopology

    init(_ domain: inout Domain, _ completion: DomainCompletion, busCount: Int, isTrial: Bool) throws {
        machine = completion.machine
        policy = PCIPolicy(hasExpressRoot: domain.controller(.pci, 0)?.model == .pcieRoot)
        topology = PCITopology(
            buses: Self.buses(busCount, domain.devices.controllers, isPSeries: completion.machine.isPSeries),
            mayGrow: isTrial, hasManyRoots: completion.machine.isPSeries,
            hasPCIeToPCIBridge: completion.emulator.has("pcie-pci-bridge"))
        try domain.visitDevices(&self)
    }

    /// The buses of the guest's controllers; where numbers are left out, of the kind that libvirt puts there.
    private static func buses(_ count: Int, _ controllers: [Controller], isPSeries: Bool) -> [PCITopology.Bus] {
        let pci = controllers.indices.filter { controllers[$0].type == .pci }
        let hasExpress = pci.contains { controllers[$0].model == .pcieRoot }
        let standard: ControllerModel = isPSeries ? .pciRoot : hasExpress ? .pcieRootPort : .pciBridge
        return (0..<count).map { index in
            let own = pci.first { controllers[$0].index == UInt32(truncatingIfNeeded: index) }
            let model = own.flatMap { controllers[$0].model } ?? (index == 0 ? .pciRoot : standard)
            return PCITopology.Bus(model, hotplug: own.flatMap { controllers[$0].target?.hotplug } != false)
        }
    }

    /// A place for one device that wants one.
    mutating func place(_ device: inout some AddressedDevice) throws {
        guard device.info.wantsPCI else { return }
        let needs = device.needs(policy)
        guard !needs.isEmpty else { return }
        let address = try topology.reserveNext(needs)
        if !topology.mayGrow { device.info.setPCI(address) }
    }
}

extension PCIAssignment: DeviceVisitor {
    /// Takes the place that the document gives.
    mutating func visit(_ device: inout some AddressedDevice) throws {
        guard case .pci(let address) = device.info.address, !address.isEmpty, !device.isPIIX3(at: address)
        else { return }
        let needs = device.needs(policy)
        try topology.reserve(address, needs.isEmpty ? .pciDevice : needs)
    }
}

extension DeviceInfo {
    /// No address, or a PCI address that is to be chosen.
    var wantsPCI: Bool {
        switch address {
        case nil: true
        case .pci(let address): address.isEmpty
        default: false
        }
    }

    /// Sets the place, and keeps what else the address says.
    mutating func setPCI(_ place: PCIAddress) {
        var new = place
        if let old = address?.pci {
            new.zpci = old.zpci
            if new.multifunction == nil { new.multifunction = old.multifunction }
        }
        address = .pci(new)
    }
}
