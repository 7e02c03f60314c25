import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addControllers() throws(VirtError) {
        addPCIHoles()
        addRootHotplug()
        for type in [Controller.Kind.pci, .usb, .scsi, .ide, .sata, .virtioSerial] { try addControllers(of: type) }
        if !devices.controllers.contains(where: { $0.type == .usb }), machine.hasOldUSB { add("-usb") }
    }

    mutating func addControllers(of type: Controller.Kind) throws(VirtError) {
        for controller in devices.controllers where controller.type == type { try add(controller: controller) }
    }

    mutating func add(controller: Controller) throws(VirtError) {
        guard let properties = try controllerProperties(controller) else { return }
        addZPCI(controller.info)
        add(device: properties)
    }

    private mutating func addPCIHoles() {
        for controller in devices.controllers where controller.type == .pci {
            guard let size = controller.pciHole64 else { continue }
            let host = controller.model == .pcieRoot ? "q35-pcihost" : "i440FX-pcihost"
            add("-global", "\(host).pci-hole64-size=\(size)K")
        }
    }

    /// nil for what is part of the machine.
    private func controllerProperties(_ controller: Controller) throws(VirtError) -> JSONObject? {
        var properties: JSONObject?
        switch controller.type {
        case .pci: properties = try pciProperties(controller)
        case .usb: properties = try usbProperties(controller)
        case .scsi: properties = try scsiProperties(controller)
        case .ide:
            guard !(machine.hasBuiltInIDE && controller.index == 0) else { return nil }
            throw VirtError(
                .configUnsupported, .qemu, "Only a single IDE controller is supported for this machine type")
        case .sata:
            guard !(machine.isQ35 && controller.index == 0) else { return nil }
            properties = ["driver": "ahci"]
            properties?.add("id", controller.info.alias)
        case .virtioSerial: properties = virtioSerialProperties(controller)
        case .ccid:
            properties = ["driver": "usb-ccid"]
            properties?.add("id", controller.info.alias)
        case .fdc, .xenbus, .isa: return nil
        }
        guard var properties else { return nil }
        try addAddress(controller.info, to: &properties)
        return properties
    }

    // MARK: PCI

    private func pciProperties(_ controller: Controller) throws(VirtError) -> JSONObject? {
        guard let model = controller.model else { return nil }
        let target = controller.target
        var properties: JSONObject = ["driver": .string(controller.modelName ?? Self.pciDriver(model, machine))]
        switch model {
        case .pciRoot:
            guard machine.isPSeries, let index = target?.index, index > 0 else { return nil }
            properties.add("index", index)
        case .pcieRoot: return nil
        case .pciBridge: properties.add("chassis_nr", target?.chassisNumber)
        case .pciExpanderBus, .pcieExpanderBus: properties.add("bus_nr", target?.busNumber)
        case .pcieRootPort:
            properties.add("port", target?.port)
            properties.add("chassis", target?.chassis)
        case .pcieSwitchDownstreamPort:
            properties.add("port", target?.port)
            properties.add("chassis", target?.chassis)
        default: break
        }
        properties.add("id", controller.info.alias)
        if model == .pcieRootPort || model == .pcieSwitchDownstreamPort { properties.add("hotplug", target?.hotplug) }
        if let node = target?.node { properties.add("numa_node", node) }
        return properties
    }

    private static func pciDriver(_ model: ControllerModel, _ machine: MachineTraits) -> String {
        switch model {
        case .pciBridge: "pci-bridge"
        case .dmiToPCIBridge: "i82801b11-bridge"
        case .pcieToPCIBridge: "pcie-pci-bridge"
        case .pcieRootPort: "pcie-root-port"
        case .pcieSwitchUpstreamPort: "x3130-upstream"
        case .pcieSwitchDownstreamPort: "xio3130-downstream"
        case .pciExpanderBus: "pxb"
        case .pcieExpanderBus: "pxb-pcie"
        default: "spapr-pci-host-bridge"
        }
    }

    // MARK: USB

    private static let usbDrivers: [ControllerModel: String] = [
        .piix3UHCI: "piix3-usb-uhci", .piix4UHCI: "piix4-usb-uhci", .ehci: "usb-ehci", .ich9EHCI1: "ich9-usb-ehci1",
        .ich9UHCI1: "ich9-usb-uhci1", .ich9UHCI2: "ich9-usb-uhci2", .ich9UHCI3: "ich9-usb-uhci3",
        .vt82c686bUHCI: "vt82c686b-usb-uhci", .pciOHCI: "pci-ohci", .necXHCI: "nec-usb-xhci", .qemuXHCI: "qemu-xhci",
    ]

    private func usbProperties(_ controller: Controller) throws(VirtError) -> JSONObject? {
        guard let model = controller.model, let driver = Self.usbDrivers[model] else { return nil }
        var properties: JSONObject = ["driver": .string(driver)]
        if model == .necXHCI || model == .qemuXHCI {
            properties.add("p2", controller.ports)
            properties.add("p3", controller.ports)
        } else if controller.ports != nil {
            throw VirtError(
                .configUnsupported, .qemu,
                "usb controller type '\(model.rawValue)' doesn't support 'ports' with this QEMU binary")
        }
        if let port = controller.info.masterStartPort {
            let alias = controllerAlias(.usb, controller.index ?? 0) ?? "usb"
            properties.add("masterbus", alias + ".0")
            properties.add("firstport", port)
        } else {
            properties.add("id", controller.info.alias)
        }
        return properties
    }

    // MARK: SCSI, virtio-serial

    private func scsiProperties(_ controller: Controller) throws(VirtError) -> JSONObject? {
        guard let model = controller.model else { return nil }
        var properties: JSONObject
        switch model {
        case .virtioSCSI, .virtioTransitional, .virtioNonTransitional:
            let driver = virtioDriver("virtio-scsi", controller.info, model: model.rawValue)
            properties = ["driver": .string(driver)]
            if let driver = controller.driver { addVirtio(driver.virtio, to: &properties) }
            properties.add("iothread", controller.driver?.iothread.map { "iothread\($0)" })
        default:
            guard let driver = Self.scsiDrivers[model] else {
                if model == .ncr53c90 { return nil }
                throw VirtError(
                    .configUnsupported, .qemu, "Unsupported controller model: \(model.rawValue)")
            }
            properties = ["driver": .string(driver)]
        }
        properties.add("id", controller.info.alias)
        properties.add("num_queues", controller.driver?.queues)
        properties.add("cmd_per_lun", controller.driver?.commandsPerLUN)
        properties.add("max_sectors", controller.driver?.maximumSectors)
        properties.add("ioeventfd", controller.driver?.ioeventfd)
        return properties
    }

    private static let scsiDrivers: [ControllerModel: String] = [
        .lsilogic: "lsi", .lsisas1068: "mptsas1068", .lsisas1078: "megasas", .vmpvscsi: "pvscsi",
        .ibmvscsi: "spapr-vscsi", .am53c974: "am53c974", .dc390: "dc-390",
    ]

    private func virtioSerialProperties(_ controller: Controller) -> JSONObject {
        let driver = virtioDriver("virtio-serial", controller.info, model: controller.model?.rawValue)
        var properties: JSONObject = ["driver": .string(driver)]
        if let driver = controller.driver { addVirtio(driver.virtio, to: &properties) }
        properties.add("id", controller.info.alias)
        properties.add("max_ports", controller.ports)
        properties.add("vectors", controller.vectors)
        return properties
    }
}
