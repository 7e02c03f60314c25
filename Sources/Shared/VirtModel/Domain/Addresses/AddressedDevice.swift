/// A device that is plugged in somewhere, as far as the assignment of addresses asks.
protocol AddressedDevice {
    var info: DeviceInfo { get set }
    /// What it needs of a PCI slot; empty when it is not a PCI device.
    func needs(_ policy: PCIPolicy) -> PCIConnection
    /// Whether it is a function of the PIIX3 chip, which is there anyway.
    func isPIIX3(at address: PCIAddress) -> Bool
    /// A virtio device that can be on the machine's own bus: s390's channels with `ccw`, else the memory bus.
    func isVirtio(ccw: Bool) -> Bool
    /// A device of the host that is on s390's channels.
    var isVFIOCCW: Bool { get }
    /// Whether it has identifiers besides its PCI address on s390.
    ///
    /// - Parameter controllers: the PCI controllers that have them.
    func hasZPCI(_ controllers: Set<UInt32>) -> Bool
}

extension AddressedDevice {
    func isPIIX3(at address: PCIAddress) -> Bool { false }
    func isVirtio(ccw: Bool) -> Bool { false }
    var isVFIOCCW: Bool { false }
    func hasZPCI(_ controllers: Set<UInt32>) -> Bool { true }
}

/// A device that is on another bus than PCI.
protocol PlainDevice: AddressedDevice {}

extension PlainDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { [] }
    func hasZPCI(_ controllers: Set<UInt32>) -> Bool { false }
}

extension Smartcard: PlainDevice {}
extension ParallelPort: PlainDevice {}
extension Channel: PlainDevice {}
extension Console: PlainDevice {}
extension NVRAMDevice: PlainDevice {}
extension Hub: PlainDevice {}
extension TPM: PlainDevice {}
extension Panic: PlainDevice {}
extension RedirectedDevice: PlainDevice {}

extension SerialPort: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { target == .pci ? PCIPolicy.legacy : [] }
    func hasZPCI(_ controllers: Set<UInt32>) -> Bool { false }
}

extension Disk: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        target.bus == .virtio ? policy.virtio(isTransitional: model == .virtioTransitional) : []
    }

    func isVirtio(ccw: Bool) -> Bool { target.bus == .virtio }
}

extension Interface: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        if type == .hostdev { return policy.express }
        switch model {
        case "virtio", "virtio-non-transitional", "e1000e", "igb", nil: return policy.express
        case "usb-net": return []
        default: return PCIPolicy.legacy
        }
    }

    func isVirtio(ccw: Bool) -> Bool { model?.hasPrefix("virtio") == true && type != .hostdev }
}

extension Sound: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        switch model {
        case .es1370, .ac97, .ich6, .ich9: PCIPolicy.legacy
        case .sb16, .pcspk, .usb, .ich7: []
        }
    }
}

extension Hostdev: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        switch type {
        case .pci, .mdev: policy.express
        case .scsiHost: policy.virtio(isTransitional: model == .virtioTransitional)
        case .usb, .scsi: []
        }
    }

    func isVirtio(ccw: Bool) -> Bool { type == .scsiHost }
    var isVFIOCCW: Bool { type == .mdev && model == .vfioCCW }
}

extension Video: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        switch model {
        case .virtio, .bochs: policy.express
        case .vga, .cirrus, .vmvga, .xen, .vbox, .qxl, .parallels: PCIPolicy.legacy
        case .default, .gop, .none, .ramfb: []
        }
    }

    func isVirtio(ccw: Bool) -> Bool { model == .virtio }
}

extension Controller: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        switch type {
        case .pci: return model?.upstream ?? []
        case .sata, .ide: return PCIPolicy.legacy
        case .usb:
            switch model {
            case .necXHCI, .qemuXHCI: return policy.express
            case .qusb1, .qusb2, .some(.none): return []
            default: return PCIPolicy.legacy
            }
        case .scsi:
            switch model {
            case .virtioSCSI, .virtioNonTransitional: return policy.express
            case .ncr53c90, nil: return []
            default: return PCIPolicy.legacy
            }
        case .virtioSerial: return policy.virtio(isTransitional: model == .virtioTransitional)
        case .fdc, .ccid, .xenbus, .isa: return []
        }
    }

    func isPIIX3(at address: PCIAddress) -> Bool {
        guard address.domain == 0, address.bus == 0, address.slot == 1, index == 0 else { return false }
        if type == .ide { return address.function == 1 }
        return type == .usb && address.function == 2 && (model == .piix3UHCI || model == nil)
    }

    func isVirtio(ccw: Bool) -> Bool { type == .virtioSerial || type == .scsi }

    func hasZPCI(_ controllers: Set<UInt32>) -> Bool {
        type != .pci || (index.map(controllers.contains) ?? false)
    }
}

extension Input: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        bus == .virtio ? policy.virtio(isTransitional: model == .virtioTransitional) : []
    }

    func isVirtio(ccw: Bool) -> Bool { bus == .virtio }
}

extension Filesystem: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { policy.virtio(isTransitional: model == .virtioTransitional) }
    func isVirtio(ccw: Bool) -> Bool { ccw }
}

extension Watchdog: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { model == .i6300esb ? PCIPolicy.legacy : [] }
}

extension MemoryBalloon: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        switch model {
        case .virtio, .virtioNonTransitional: policy.express
        case .virtioTransitional: PCIPolicy.legacy
        case .xen, .none: []
        }
    }

    func isVirtio(ccw: Bool) -> Bool { model != .none }
}

extension RandomGenerator: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { policy.virtio(isTransitional: model == .virtioTransitional) }
    func isVirtio(ccw: Bool) -> Bool { true }
}

extension SharedMemory: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { PCIPolicy.legacy }
}

extension MemoryDevice: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { isVirtio(ccw: false) ? policy.express : [] }
    func isVirtio(ccw: Bool) -> Bool { model == .virtioPMEM || model == .virtioMem }
}

extension VSock: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { policy.virtio(isTransitional: model == .virtioTransitional) }
    func isVirtio(ccw: Bool) -> Bool { ccw }
}

extension Crypto: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { policy.express }
    func isVirtio(ccw: Bool) -> Bool { true }
}

extension IOMMU: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { model == .virtio ? [.integrated] : [] }
}
