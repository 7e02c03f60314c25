import VirtCore
package import VirtXML

/// A controller that other devices are plugged into (`<controller>`).
package struct Controller: GuestDevice {
    package enum Kind: String, XMLEnum {
        case ide, fdc, scsi, sata, ccid, usb, pci, xenbus, isa
        case virtioSerial = "virtio-serial"
    }

    package var type = Kind.pci
    /// Nil until it is chosen.
    package var index: UInt32?
    package var model: ControllerModel?
    package var ports: UInt32?
    package var vectors: Int32?
    package var maxGrantFrames: Int32?
    /// The PCI device's name in QEMU (`<model name=''/>`).
    package var modelName: String?
    package var target: Target?
    /// The 64-bit PCI hole in KiB.
    package var pciHole64: UInt64?
    package var driver: Driver?
    package var info = DeviceInfo()

    package init() {}

    package init(_ type: Kind, index: UInt32, model: ControllerModel? = nil) {
        self.type = type
        self.index = index
        self.model = model
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try mapType(&x)
        try mapIndex(&x)
        try x.attribute("model", &model, invalid: .unsupported("Unknown model type"))
        if type == .virtioSerial || type == .usb { try x.attribute("ports", &ports) }
        if type == .virtioSerial { try x.attribute("vectors", &vectors) }
        if type == .xenbus { try x.attribute("maxGrantFrames", &maxGrantFrames) }
        if type == .pci {
            try x.valueElement("model", "name", &modelName)
            try x.element("target", &target)
        }
        try x.element("driver", &driver)
        try info.map(&x)
        try x.sizeElement("pcihole64", kibibytes: &pciHole64)
        if x.isReading {
            try checkModel()
            if info.masterStartPort == nil { info.masterStartPort = model?.companionPort }
        }
    }

    /// libvirt's oldest kind of controller is the one that needs no word.
    private mutating func mapType<M: ElementMapper>(_ x: inout M) throws {
        var kind: Kind? = x.isReading ? nil : type
        try x.attribute("type", &kind)
        type = kind ?? .ide
    }

    private mutating func mapIndex<M: ElementMapper>(_ x: inout M) throws {
        var text: String? = index.map { String($0) }
        try x.attribute("index", &text)
        guard x.isReading, let text else { return }
        guard let number: Int32 = IntegerText.parse(text) else {
            throw VirtError.invalidAttribute(
                "index", of: "controller", value: text, expectation: ". Expected integer value")
        }
        guard number >= 0 else {
            throw VirtError.invalidAttribute(
                "index", of: "controller", value: text, expectation: ". Expected non-negative value")
        }
        index = UInt32(number)
    }

    private func checkModel() throws(VirtError) {
        guard let model else { return }
        guard model.kinds.contains(type) else {
            throw VirtError.unsupported("Unknown model type '\(model.rawValue)'")
        }
    }

    /// What a PCI controller is on its own bus.
    package struct Target: Equatable, Sendable, XMLMappable {
        package var chassisNumber: UInt32?
        package var chassis: UInt32?
        package var port: UInt32?
        package var busNumber: UInt32?
        package var index: UInt32?
        package var hotplug: Bool?
        package var node: UInt32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("chassisNr", &chassisNumber)
            try x.attribute("chassis", &chassis)
            try x.attribute("port", &port, .hex(1))
            try x.attribute("busNr", &busNumber)
            try x.attribute("index", &index)
            try x.attribute("hotplug", &hotplug, .onOff)
            try x.textElement("node", &node)
        }

        package var isEmpty: Bool { self == Target() }
    }

    package struct Driver: Equatable, Sendable, XMLMappable {
        package var queues: UInt32?
        package var commandsPerLUN: UInt32?
        package var maximumSectors: UInt32?
        package var ioeventfd: Bool?
        package var iothread: UInt32?
        package var virtio = VirtioOptions()

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("queues", &queues)
            try x.attribute("cmd_per_lun", &commandsPerLUN)
            try x.attribute("max_sectors", &maximumSectors)
            try x.attribute("ioeventfd", &ioeventfd, .onOff)
            try x.attribute("iothread", &iothread)
            try virtio.map(&x)
        }
    }
}

extension Controller {
    mutating func complete(_ context: DomainCompletion) throws(VirtError) {
        switch type {
        case .scsi: if model == nil || model == .auto { model = try defaultSCSIModel(context) }
        case .usb: try completeUSB(context)
        case .pci: try checkPCI(context)
        case .ide, .fdc, .sata, .ccid, .xenbus, .isa, .virtioSerial: break
        }
    }

    private func defaultSCSIModel(_ context: DomainCompletion) throws(VirtError) -> ControllerModel {
        if context.machine.isPSeries { return .ibmvscsi }
        if context.machine.isS390 { return .virtioSCSI }
        if context.emulator.has("lsi") { return .lsilogic }
        if context.emulator.has("virtio-scsi-pci") { return .virtioSCSI }
        throw VirtError(.internalError, .qemu, "Unable to determine model for SCSI controller idx=\(index ?? 0)")
    }

    private mutating func completeUSB(_ context: DomainCompletion) throws(VirtError) {
        if model == nil { model = defaultUSBModel(context) }
        if model == ControllerModel.none { info.address = nil }
        if model == .qusb1 || model == .qusb2 {
            throw VirtError.unsupported("USB controller model type 'qusb1' or 'qusb2' is not supported in qemu", .qemu)
        }
        if let model, model == .necXHCI || model == .qemuXHCI, let ports, ports > 15 {
            throw VirtError.unsupported("'\(model.rawValue)' controller only supports up to '15' ports", .qemu)
        }
    }

    private func defaultUSBModel(_ context: DomainCompletion) -> ControllerModel? {
        let emulator = context.emulator
        let piix3: ControllerModel? = emulator.has("piix3-usb-uhci") ? .piix3UHCI : nil
        if context.machine.isS390 { return info.address == nil ? ControllerModel.none : piix3 }
        if context.machine.isPPC64 {
            if context.isNew, emulator.has("qemu-xhci") { return .qemuXHCI }
            if context.isNew, emulator.has("nec-usb-xhci") { return .necXHCI }
            return emulator.has("pci-ohci") ? .pciOHCI : nil
        }
        if context.machine.arch == "aarch64" {
            if emulator.has("qemu-xhci") { return .qemuXHCI }
            if emulator.has("nec-usb-xhci") { return .necXHCI }
        }
        return piix3
    }

    private func checkPCI(_ context: DomainCompletion) throws(VirtError) {
        let (index, machine) = (index ?? 0, context.machine)
        let isRoot = model == .pciRoot || model == .pcieRoot
        if isRoot, index != 0, !machine.isPSeries {
            throw VirtError.malformed("pci-root and pcie-root controllers should have index 0", .qemu)
        }
        if isRoot, info.address != nil {
            throw VirtError.unsupported("pci-root and pcie-root controllers should not have an address")
        }
        if model == .pciExpanderBus, !machine.isI440FX {
            throw VirtError.unsupported(
                "pci-expander-bus controllers are only supported on 440fx-based machinetypes", .qemu)
        }
        if model == .pcieExpanderBus, !machine.isQ35, !machine.isARMVirt {
            throw VirtError.unsupported(
                "pcie-expander-bus controllers are not supported with this machine type", .qemu)
        }
        if let node = target?.node, let model, Int(node) >= context.nodeCount {
            throw VirtError.malformed(
                "\(model.rawValue) with index \(index) is configured for a NUMA node (\(node)) not present in "
                    + "the domain's <cpu><numa> array (\(context.nodeCount))",
                .qemu)
        }
    }
}

extension Controller {
    func validate(_ context: DomainValidation) throws(VirtError) {
        try info.validate(context)
        try validateQueues()
        if type == .ide, context.machine.hasBuiltInIDE, index ?? 0 > 0 {
            throw VirtError.unsupported(
                "Only a single IDE controller is supported for this machine type", .qemu)
        }
        if type == .ide, !context.machine.hasBuiltInIDE {
            throw VirtError.unsupported(
                "IDE controllers are unsupported for this QEMU binary or machine type", .qemu)
        }
        guard type == .pci, context.machine.isPSeries, model == .pciRoot else { return }
        let index = index ?? 0
        if (index == 0) != ((target?.index ?? 0) == 0) {
            throw VirtError.unsupported(
                "Only the PCI controller with index 0 can have target index 0, and vice versa", .qemu)
        }
        if index == 0, target?.node != nil {
            throw VirtError.unsupported("The PCI controller with index=0 can't be associated with a NUMA node", .qemu)
        }
    }

    private func validateQueues() throws(VirtError) {
        guard type == .scsi, let driver else { return }
        switch model {
        case .virtioSCSI, .virtioTransitional, .virtioNonTransitional: return
        default: break
        }
        let options = [
            ("queues", driver.queues), ("cmd_per_lun", driver.commandsPerLUN), ("max_sectors", driver.maximumSectors),
        ]
        for case (let name, .some) in options {
            throw VirtError.unsupported("'\(name)' is only supported by virtio-scsi controller", .qemu)
        }
    }
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
