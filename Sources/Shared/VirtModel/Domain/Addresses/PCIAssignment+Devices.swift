import VirtCore
import VirtXML

extension PCIAssignment {
    /// All devices that have no place yet, in the order in which QEMU itself once placed them.
    mutating func placeDevices(_ domain: inout Domain) throws {
        try placeBridges(&domain)
        for i in domain.devices.filesystems.indices { try place(&domain.devices.filesystems[i]) }
        for i in domain.devices.interfaces.indices where domain.devices.interfaces[i].type != .hostdev {
            try place(&domain.devices.interfaces[i])
        }
        for i in domain.devices.sounds.indices { try place(&domain.devices.sounds[i]) }
        try placeControllers(&domain)
        try placeDisks(&domain)
        try placeHostDevices(&domain)
        try placeRest(&domain)
    }

    private mutating func placeBridges(_ domain: inout Domain) throws {
        for i in domain.devices.controllers.indices
        where domain.devices.controllers[i].type == .pci {
            try place(&domain.devices.controllers[i])
        }
    }

    private mutating func placeControllers(_ domain: inout Domain) throws {
        for i in domain.devices.controllers.indices where domain.devices.controllers[i].info.wantsPCI {
            let type = domain.devices.controllers[i].type
            guard type != .pci, !(type == .ide && domain.devices.controllers[i].index == 0) else { continue }
            if domain.devices.controllers[i].isUSB2 {
                try placeUSB2(i, &domain)
            } else {
                try place(&domain.devices.controllers[i])
            }
        }
    }

    /// The parts of a USB 2 controller are functions of one slot.
    private mutating func placeUSB2(_ index: Int, _ domain: inout Domain) throws {
        let controller = domain.devices.controllers[index]
        let function: UInt32 =
            switch controller.model {
            case .ich9EHCI1: 7
            case .ich9UHCI2: 1
            case .ich9UHCI3: 2
            default: 0
            }
        let sibling = domain.devices.controllers.first {
            $0.isUSB2 && $0.index == controller.index && !$0.info.wantsPCI
        }
        var address: PCIAddress
        if let own = sibling?.info.address?.pci {
            address = PCIAddress(domain: own.domain, bus: own.bus, slot: own.slot, function: function)
            try topology.reserve(address, PCIPolicy.legacy)
        } else {
            address = try topology.reserveNext(PCIPolicy.legacy, function: function)
            if topology.mayGrow, sibling == nil { return }
        }
        if function == 0 { address.multifunction = true }
        domain.devices.controllers[index].info.setPCI(address)
    }

    private mutating func placeDisks(_ domain: inout Domain) throws {
        for i in domain.devices.disks.indices where domain.devices.disks[i].target.bus == .virtio {
            switch domain.devices.disks[i].info.address {
            case nil, .pci, .ccw, .virtioMMIO: break
            case .some(let other):
                throw VirtError.unsupported(
                    "virtio disk cannot have an address of type '\(other.kind.rawValue)'", .qemu)
            }
            try place(&domain.devices.disks[i])
        }
    }

    /// Interfaces that are devices of the host come before the other devices of the host.
    private mutating func placeHostDevices(_ domain: inout Domain) throws {
        for i in domain.devices.interfaces.indices where domain.devices.interfaces[i].type == .hostdev {
            try place(&domain.devices.interfaces[i])
        }
        for i in domain.devices.hostdevs.indices {
            if domain.devices.hostdevs[i].type == .mdev, domain.devices.hostdevs[i].model != .vfioPCI { continue }
            try place(&domain.devices.hostdevs[i])
        }
    }

    private mutating func placeRest(_ domain: inout Domain) throws {
        try place(&domain.devices.memballoon)
        for i in domain.devices.rngs.indices { try place(&domain.devices.rngs[i]) }
        for i in domain.devices.watchdogs.indices { try place(&domain.devices.watchdogs[i]) }
        for i in domain.devices.videos.indices { try place(&domain.devices.videos[i]) }
        for i in domain.devices.sharedMemories.indices { try place(&domain.devices.sharedMemories[i]) }
        for i in domain.devices.inputs.indices { try place(&domain.devices.inputs[i]) }
        for i in domain.devices.serials.indices { try place(&domain.devices.serials[i]) }
        try place(&domain.devices.vsock)
        for i in domain.devices.memories.indices { try place(&domain.devices.memories[i]) }
        for i in domain.devices.cryptos.indices { try place(&domain.devices.cryptos[i]) }
        try place(&domain.devices.iommu)
    }

    private mutating func place(_ device: inout (some AddressedDevice)?) throws {
        guard var one = device else { return }
        try place(&one)
        device = one
    }
}
