import VirtCore

extension PCIAssignment {
    /// Devices that sit at a fixed place in the machine's chipset, and those that prefer one.
    mutating func placeChipset(_ domain: inout Domain) throws {
        if machine.isI440FX { try placePIIX3(&domain) }
        if machine.isQ35 { try placeQ35(&domain) }
    }

    private mutating func placePIIX3(_ domain: inout Domain) throws {
        for index in domain.devices.controllers.indices where domain.devices.controllers[index].index == 0 {
            let controller = domain.devices.controllers[index]
            if controller.type == .ide {
                try fix(
                    &domain.devices.controllers[index], function: 1,
                    "Primary IDE controller must have PCI address 0:0:1.1")
            } else if controller.type == .usb, controller.model == .piix3UHCI || controller.model == nil {
                try fix(
                    &domain.devices.controllers[index], function: 2,
                    "PIIX3 USB controller at index 0 must have PCI address 0:0:1.2")
            }
        }
        guard !topology.buses.isEmpty else { return }
        try topology.reserve(PCIAddress(bus: 0, slot: 1), PCIPolicy.legacy)
        try topology.reserve(PCIAddress(bus: 0, slot: 1, function: 3), PCIPolicy.legacy)
        try placeFirstVideo(&domain, slot: 2, PCIPolicy.legacy)
    }

    private mutating func fix(_ controller: inout Controller, function: UInt32, _ text: String) throws {
        let own = PCIAddress(bus: 0, slot: 1, function: function)
        if let given = controller.info.address?.pci, !given.isEmpty {
            guard given.bus == 0, given.slot == 1, given.function == function, given.domain == 0 else {
                throw VirtError(.internalError, .qemu, text)
            }
        } else {
            controller.info.setPCI(own)
        }
        if !topology.buses.isEmpty { try topology.reserve(own, PCIPolicy.legacy) }
    }

    private mutating func placeFirstVideo(_ domain: inout Domain, slot: UInt32, _ needs: PCIConnection) throws {
        guard let video = domain.devices.videos.first, video.model != .none, video.model != .ramfb,
            video.info.wantsPCI
        else { return }
        let address = PCIAddress(bus: 0, slot: slot)
        try topology.check(address, needs, isGiven: true)
        if topology.isTaken(slot: slot) {
            try place(&domain.devices.videos[0])
        } else {
            try topology.reserve(address, needs)
            domain.devices.videos[0].info.setPCI(address)
        }
    }

    private mutating func placeQ35(_ domain: inout Domain) throws {
        for index in domain.devices.controllers.indices {
            try placeICH9(&domain.devices.controllers[index])
        }
        guard !topology.buses.isEmpty else { return }
        try topology.reserve(PCIAddress(bus: 0, slot: 0x1F), .pcieDevice)
        try topology.reserve(PCIAddress(bus: 0, slot: 0x1F, function: 3), .pcieDevice)
        try placeFirstVideo(&domain, slot: 1, .pcieDevice)
        try placeICH9Sound(&domain)
    }

    private mutating func placeICH9(_ controller: inout Controller) throws {
        switch controller.type {
        case .sata where controller.index == 0:
            let own = PCIAddress(bus: 0, slot: 0x1F, function: 2)
            guard let given = controller.info.address?.pci, !given.isEmpty else {
                controller.info.setPCI(own)
                try topology.reserve(own, .pcieDevice)
                return
            }
            guard given.isSamePlace(as: own) else {
                throw VirtError(.internalError, .qemu, "Primary SATA controller must have PCI address 0:0:1f.2")
            }
        case .usb where controller.model == .ich9UHCI1 && controller.info.address == nil:
            guard let slot = [UInt32(0x1D), 0x1A].first(where: { !topology.isTaken(slot: $0) }) else { return }
            let address = PCIAddress(bus: 0, slot: slot, multifunction: true)
            try topology.reserve(address, .pcieDevice)
            controller.info.setPCI(address)
        case .pci where controller.model == .dmiToPCIBridge && controller.info.address == nil:
            guard !topology.isTaken(slot: 0x1E) else { return }
            let address = PCIAddress(bus: 0, slot: 0x1E)
            try topology.reserve(address, .pcieDevice)
            controller.info.setPCI(address)
        default: return
        }
    }

    private mutating func placeICH9Sound(_ domain: inout Domain) throws {
        guard !topology.isTaken(slot: 0x1B),
            let index = domain.devices.sounds.firstIndex(where: { $0.model == .ich9 && $0.info.wantsPCI })
        else { return }
        let address = PCIAddress(bus: 0, slot: 0x1B)
        try topology.reserve(address, .pcieDevice)
        domain.devices.sounds[index].info.setPCI(address)
    }
}
