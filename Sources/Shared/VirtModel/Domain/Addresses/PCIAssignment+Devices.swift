import VirtCore
import VirtXML

extension PCIAssignment {
    /// All devices that have no place yet, in the order in which QEMU itself once placed them.
    mutating func placeDevices(_ domain: inout Domain) throws {
        try placeBridges(&domain)
        for i in domain.devices.filesystems.indices where domain.devices.filesystems[i].info.wantsPCI {
            try place(.filesystem(domain.devices.filesystems[i]), &domain.devices.filesystems[i].info)
        }
        for i in domain.devices.interfaces.indices where domain.devices.interfaces[i].type != .hostdev {
            try place(.interface(domain.devices.interfaces[i]), &domain.devices.interfaces[i].info)
        }
        for i in domain.devices.sounds.indices {
            try place(.sound(domain.devices.sounds[i]), &domain.devices.sounds[i].info)
        }
        try placeControllers(&domain)
        try placeDisks(&domain)
        try placeHostDevices(&domain)
        try placeRest(&domain)
    }

    private mutating func placeBridges(_ domain: inout Domain) throws {
        for i in domain.devices.controllers.indices
        where domain.devices.controllers[i].type == .pci && domain.devices.controllers[i].info.wantsPCI {
            try place(.controller(domain.devices.controllers[i]), &domain.devices.controllers[i].info)
        }
    }

    private mutating func placeControllers(_ domain: inout Domain) throws {
        for i in domain.devices.controllers.indices where domain.devices.controllers[i].info.wantsPCI {
            let controller = domain.devices.controllers[i]
            guard controller.type != .pci, !(controller.type == .ide && controller.index == 0) else { continue }
            if controller.isUSB2 {
                try placeUSB2(i, &domain)
            } else {
                try place(.controller(controller), &domain.devices.controllers[i].info)
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
            let disk = domain.devices.disks[i]
            switch disk.info.address {
            case nil, .pci, .ccw, .virtioMMIO: break
            case .some(let other):
                throw VirtError.unsupported(
                    "virtio disk cannot have an address of type '\(other.kind.rawValue)'", .qemu)
            }
            try place(.disk(disk), &domain.devices.disks[i].info)
        }
    }

    /// Interfaces that are devices of the host come before the other devices of the host.
    private mutating func placeHostDevices(_ domain: inout Domain) throws {
        for i in domain.devices.interfaces.indices where domain.devices.interfaces[i].type == .hostdev {
            try place(.interface(domain.devices.interfaces[i]), &domain.devices.interfaces[i].info)
        }
        for i in domain.devices.hostdevs.indices {
            let hostdev = domain.devices.hostdevs[i]
            if hostdev.type == .mdev, hostdev.model != .vfioPCI { continue }
            try place(.hostdev(hostdev), &domain.devices.hostdevs[i].info)
        }
    }

    private mutating func placeRest(_ domain: inout Domain) throws {
        if var balloon = domain.devices.memballoon {
            try place(.memballoon(balloon), &balloon.info)
            domain.devices.memballoon = balloon
        }
        for i in domain.devices.rngs.indices { try place(.rng(domain.devices.rngs[i]), &domain.devices.rngs[i].info) }
        for i in domain.devices.watchdogs.indices {
            try place(.watchdog(domain.devices.watchdogs[i]), &domain.devices.watchdogs[i].info)
        }
        for i in domain.devices.videos.indices {
            try place(.video(domain.devices.videos[i]), &domain.devices.videos[i].info)
        }
        for i in domain.devices.sharedMemories.indices {
            try place(.sharedMemory(domain.devices.sharedMemories[i]), &domain.devices.sharedMemories[i].info)
        }
        for i in domain.devices.inputs.indices {
            try place(.input(domain.devices.inputs[i]), &domain.devices.inputs[i].info)
        }
        for i in domain.devices.serials.indices {
            try place(.serial(domain.devices.serials[i]), &domain.devices.serials[i].info)
        }
        if var vsock = domain.devices.vsock {
            try place(.vsock(vsock), &vsock.info)
            domain.devices.vsock = vsock
        }
        for i in domain.devices.memories.indices {
            try place(.memory(domain.devices.memories[i]), &domain.devices.memories[i].info)
        }
        for i in domain.devices.cryptos.indices {
            try place(.crypto(domain.devices.cryptos[i]), &domain.devices.cryptos[i].info)
        }
        if var iommu = domain.devices.iommu {
            try place(.iommu(iommu), &iommu.info)
            domain.devices.iommu = iommu
        }
    }
}
