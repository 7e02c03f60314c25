/// Which kind of slot each device wants on a guest's machine.
struct PCIPolicy {
    /// For devices that are Express where the machine is.
    let express: PCIConnection
    static let legacy: PCIConnection = [.pciDevice, .autoAssign]

    init(hasExpressRoot: Bool) {
        express = hasExpressRoot ? [.pcieDevice, .autoAssign] : Self.legacy
    }

    /// What the device needs; empty when it is not a PCI device.
    func needs(_ device: DeviceReference) -> PCIConnection {
        switch device {
        case .controller(let one): needs(one)
        case .disk(let one): one.target.bus == .virtio ? virtio(one.model == .virtioTransitional) : []
        case .interface(let one): needs(one)
        case .sound(let one): Self.isPCI(one.model) ? Self.legacy : []
        case .hostdev(let one): needs(one)
        case .video(let one): needs(one.model)
        case .serial(let one): one.target == .pci ? Self.legacy : []
        case .input(let one): one.bus == .virtio ? virtio(one.model == .virtioTransitional) : []
        case .filesystem(let one): virtio(one.model == .virtioTransitional)
        case .watchdog(let one): one.model == .i6300esb ? Self.legacy : []
        case .memballoon(let one): needs(one)
        case .rng(let one): virtio(one.model == .virtioTransitional)
        case .sharedMemory: Self.legacy
        case .memory(let one): one.model == .virtioPMEM || one.model == .virtioMem ? express : []
        case .vsock(let one): virtio(one.model == .virtioTransitional)
        case .crypto: express
        case .iommu(let one): one.model == .virtio ? [.integrated] : []
        case .smartcard, .parallel, .channel, .console, .nvram, .hub, .tpm, .panic, .redirectedDevice: []
        }
    }

    private func virtio(_ isTransitional: Bool) -> PCIConnection { isTransitional ? Self.legacy : express }

    private func needs(_ controller: Controller) -> PCIConnection {
        switch controller.type {
        case .pci: return controller.model?.upstream ?? []
        case .sata, .ide: return Self.legacy
        case .usb:
            switch controller.model {
            case .necXHCI, .qemuXHCI: return express
            case .qusb1, .qusb2, .some(.none): return []
            default: return Self.legacy
            }
        case .scsi:
            switch controller.model {
            case .virtioSCSI, .virtioNonTransitional: return express
            case .ncr53c90, nil: return []
            default: return Self.legacy
            }
        case .virtioSerial: return virtio(controller.model == .virtioTransitional)
        case .fdc, .ccid, .xenbus, .isa: return []
        }
    }

    private func needs(_ interface: Interface) -> PCIConnection {
        if interface.type == .hostdev { return express }
        switch interface.model {
        case "virtio", "virtio-non-transitional", "e1000e", "igb", nil: return express
        case "usb-net": return []
        default: return Self.legacy
        }
    }

    private static func isPCI(_ model: Sound.Model) -> Bool {
        switch model {
        case .es1370, .ac97, .ich6, .ich9: true
        case .sb16, .pcspk, .usb, .ich7: false
        }
    }

    private func needs(_ hostdev: Hostdev) -> PCIConnection {
        switch hostdev.type {
        case .pci, .mdev: express
        case .scsiHost: virtio(hostdev.model == .virtioTransitional)
        case .usb, .scsi: []
        }
    }

    private func needs(_ model: Video.Model) -> PCIConnection {
        switch model {
        case .virtio, .bochs: express
        case .vga, .cirrus, .vmvga, .xen, .vbox, .qxl, .parallels: Self.legacy
        case .default, .gop, .none, .ramfb: []
        }
    }

    private func needs(_ balloon: MemoryBalloon) -> PCIConnection {
        switch balloon.model {
        case .virtio, .virtioNonTransitional: express
        case .virtioTransitional: Self.legacy
        case .xen, .none: []
        }
    }
}
