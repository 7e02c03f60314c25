import VirtCore
import VirtXML

extension DomainCompletion {
    /// Each device by its own rules, in libvirt's order: later ones look at earlier ones.
    func completeDevices(_ domain: inout Domain) throws {
        try completeDisks(&domain)
        for index in domain.devices.interfaces.indices { complete(&domain.devices.interfaces[index]) }
        try completeHostdevs(&domain)
        for index in domain.devices.videos.indices { domain.devices.videos[index].complete(emulator, machine) }
        try completeControllers(&domain)
        for index in domain.devices.serials.indices { try completeSerial(at: index, &domain) }
        for index in domain.devices.parallels.indices where domain.devices.parallels[index].port == nil {
            domain.devices.parallels[index].port = nextPort(domain.devices.parallels.map(\.port))
        }
        for index in domain.devices.channels.indices { try complete(&domain.devices.channels[index]) }
        completeConsoles(&domain)
        for index in domain.devices.inputs.indices { domain.devices.inputs[index].complete(machine) }
        completeRest(&domain)
    }

    private func completeRest(_ domain: inout Domain) {
        for index in domain.devices.rngs.indices { domain.devices.rngs[index].complete() }
        for index in domain.devices.tpms.indices where domain.devices.tpms[index].model == nil {
            domain.devices.tpms[index].model = machine.isPPC64 ? .spapr : .tis
        }
        for index in domain.devices.panics.indices where domain.devices.panics[index].model ?? .default == .default {
            domain.devices.panics[index].model = machine.isPSeries ? .pseries : machine.isS390 ? .s390 : .isa
        }
        for index in domain.devices.memories.indices { domain.devices.memories[index].complete(machine, isNew: isNew) }
        for index in domain.devices.redirectedDevices.indices
        where domain.devices.redirectedDevices[index].source.type == .dbus {
            if domain.devices.redirectedDevices[index].source.channel == nil {
                domain.devices.redirectedDevices[index].source.channel = "org.qemu.usbredir"
            }
        }
        for index in domain.devices.sharedMemories.indices { domain.devices.sharedMemories[index].complete() }
        if var vsock = domain.devices.vsock {
            if vsock.model == nil { vsock.model = .virtio }
            if vsock.autoCID == nil { vsock.autoCID = vsock.cid == nil }
            domain.devices.vsock = vsock
        }
    }

    func nextPort(_ ports: [Int32?]) -> Int32 {
        (ports.compactMap { $0 }.max() ?? -1) &+ 1
    }

    private func complete(_ channel: inout Channel) throws(VirtError) {
        try channel.source.completeUNIX(channel: channel.name ?? "", prefix: context.channelTargetDirectory)
    }

    private func complete(_ interface: inout Interface) {
        guard interface.model == nil, interface.type != .hostdev else { return }
        interface.model = interface.type == .vdpa ? "virtio" : defaultInterfaceModel
    }

    private var defaultInterfaceModel: String {
        if machine.isS390 || machine.isARMVirt || machine.isRISCVVirt { return "virtio" }
        if machine.isARM { return machine.machine == "versatilepb" ? "smc91c111" : "lan9118" }
        if emulator.has("rtl8139") { return "rtl8139" }
        if emulator.has("e1000") { return "e1000" }
        return emulator.has("virtio-net") ? "virtio" : "rtl8139"
    }

    private func completeControllers(_ domain: inout Domain) throws {
        let nodes = domain.cpu?.numa?.cells.count ?? 0
        for index in domain.devices.controllers.indices {
            try complete(&domain.devices.controllers[index], nodes)
        }
    }

    func complete(_ controller: inout Controller, _ nodes: Int) throws {
        switch controller.type {
        case .scsi:
            if controller.model == nil || controller.model == .auto {
                controller.model = try defaultSCSIModel(controller)
            }
        case .usb: try completeUSB(&controller)
        case .pci: try checkPCI(controller, nodes)
        case .ide, .fdc, .sata, .ccid, .xenbus, .isa, .virtioSerial: break
        }
    }

    private func defaultSCSIModel(_ controller: Controller) throws -> ControllerModel {
        if machine.isPSeries { return .ibmvscsi }
        if machine.isS390 { return .virtioSCSI }
        if emulator.has("lsi") { return .lsilogic }
        if emulator.has("virtio-scsi-pci") { return .virtioSCSI }
        throw VirtError(
            .internalError, .qemu, "Unable to determine model for SCSI controller idx=\(controller.index ?? 0)")
    }

    private func completeUSB(_ controller: inout Controller) throws {
        if controller.model == nil { controller.model = defaultUSBModel(controller) }
        if controller.model == .qusb1 || controller.model == .qusb2 {
            throw VirtError.unsupported("USB controller model type 'qusb1' or 'qusb2' is not supported in qemu", .qemu)
        }
        let isXHCI = controller.model == .necXHCI || controller.model == .qemuXHCI
        if isXHCI, let model = controller.model, let ports = controller.ports, ports > 15 {
            throw VirtError.unsupported("'\(model.rawValue)' controller only supports up to '15' ports", .qemu)
        }
    }

    private func defaultUSBModel(_ controller: Controller) -> ControllerModel? {
        if machine.isS390 { return controller.info.address == nil ? ControllerModel.none : piix3 }
        if machine.isPPC64 {
            if isNew, emulator.has("qemu-xhci") { return .qemuXHCI }
            if isNew, emulator.has("nec-usb-xhci") { return .necXHCI }
            return emulator.has("pci-ohci") ? .pciOHCI : nil
        }
        if machine.arch == "aarch64" {
            if emulator.has("qemu-xhci") { return .qemuXHCI }
            if emulator.has("nec-usb-xhci") { return .necXHCI }
        }
        return piix3
    }

    private var piix3: ControllerModel? { emulator.has("piix3-usb-uhci") ? .piix3UHCI : nil }

    private func checkPCI(_ controller: Controller, _ nodes: Int) throws {
        let index = controller.index ?? 0
        let isRoot = controller.model == .pciRoot || controller.model == .pcieRoot
        if isRoot, index != 0, !machine.isPSeries {
            throw VirtError.malformed("pci-root and pcie-root controllers should have index 0", .qemu)
        }
        if controller.model == .pciExpanderBus, !machine.isI440FX {
            throw VirtError.unsupported(
                "pci-expander-bus controllers are only supported on 440fx-based machinetypes", .qemu)
        }
        if controller.model == .pcieExpanderBus, !machine.isQ35, !machine.isARMVirt {
            throw VirtError.unsupported(
                "pcie-expander-bus controllers are not supported with this machine type", .qemu)
        }
        if let node = controller.target?.node, let model = controller.model, Int(node) >= nodes {
            throw VirtError.malformed(
                "\(model.rawValue) with index \(index) is configured for a NUMA node (\(node)) not present in "
                    + "the domain's <cpu><numa> array (\(nodes))",
                .qemu)
        }
    }
}
