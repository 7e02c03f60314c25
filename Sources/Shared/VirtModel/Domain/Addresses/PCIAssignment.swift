import VirtCore

/// Gives PCI devices their places. It runs twice: a trial that finds out which controllers are missing, then for good.
struct PCIAssignment {
    let machine: MachineKind
    let policy: PCIPolicy
    var topology: PCITopology

    init(_ domain: inout Domain, _ completion: DomainCompletion, busCount: Int, isTrial: Bool) throws {
        machine = completion.machine
        let controllers = domain.devices.controllers.filter { $0.type == .pci }
        let hasExpress = controllers.contains { $0.model == .pcieRoot }
        policy = PCIPolicy(hasExpressRoot: domain.controller(.pci, 0)?.model == .pcieRoot)
        let standard: ControllerModel =
            completion.machine.isPSeries ? .pciRoot : hasExpress ? .pcieRootPort : .pciBridge
        var buses: [PCITopology.Bus] = []
        for index in 0..<busCount {
            let own = controllers.first { $0.index == UInt32(truncatingIfNeeded: index) }
            let model = own?.model ?? (index == 0 ? .pciRoot : standard)
            buses.append(PCITopology.Bus(model, hotplug: own?.target?.hotplug != false))
        }
        topology = PCITopology(
            buses: buses, mayGrow: isTrial, hasManyRoots: completion.machine.isPSeries,
            hasPCIeToPCIBridge: completion.emulator.has("pcie-pci-bridge"))
        try collect(&domain)
    }

    /// Takes the places that the document gives.
    private mutating func collect(_ domain: inout Domain) throws {
        try domain.visitInfos { device, info in
            guard case .pci(let address) = info.address, !address.isEmpty else { return }
            if case .controller(let controller) = device, controller.isPIIX3(at: address) { return }
            let needs = policy.needs(device)
            try topology.reserve(address, needs.isEmpty ? .pciDevice : needs)
        }
    }

    /// A place for one device that wants one.
    mutating func place(_ device: DeviceReference, _ info: inout DeviceInfo) throws {
        guard info.wantsPCI else { return }
        let needs = policy.needs(device)
        guard !needs.isEmpty else { return }
        let address = try topology.reserveNext(needs)
        if !topology.mayGrow { info.setPCI(address) }
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

extension Controller {
    /// One of the functions of the PIIX3 chip, which are there anyway.
    func isPIIX3(at address: PCIAddress) -> Bool {
        guard address.domain == 0, address.bus == 0, address.slot == 1, index == 0 else { return false }
        if type == .ide { return address.function == 1 }
        return type == .usb && address.function == 2 && (model == .piix3UHCI || model == nil)
    }
}
