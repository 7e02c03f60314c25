import VirtCore
package import VirtXML

/// A controller that other devices are plugged into (`<controller>`).
package struct Controller: Equatable, Sendable, XMLMappable {
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
        try x.required("type", &type, invalid: nil)
        try mapIndex(&x)
        try x.attribute("model", &model)
        try x.attribute("ports", &ports)
        try x.attribute("vectors", &vectors)
        try x.attribute("maxGrantFrames", &maxGrantFrames)
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

    private mutating func mapIndex<M: ElementMapper>(_ x: inout M) throws {
        var text: String? = index.map { String($0) }
        try x.attribute("index", &text)
        guard x.isReading, let text else { return }
        guard let number: UInt32 = IntegerText.parse(text), number <= UInt32(Int32.max) else {
            throw VirtError.invalidAttribute(
                "index", of: "controller", value: text, expectation: ". Expected non-negative value")
        }
        index = number
    }

    private func checkModel() throws(VirtError) {
        guard let model else { return }
        guard model.kinds.contains(type) else {
            throw VirtError(
                .internalError, .domain, "Unknown model type '\(model.rawValue)'")
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

/// What a controller is made of. The words are libvirt's; each belongs to one or two kinds.
package enum ControllerModel: String, XMLEnum {
    // PCI
    case pciRoot = "pci-root"
    case pcieRoot = "pcie-root"
    case pciBridge = "pci-bridge"
    case dmiToPCIBridge = "dmi-to-pci-bridge"
    case pcieToPCIBridge = "pcie-to-pci-bridge"
    case pcieRootPort = "pcie-root-port"
    case pcieSwitchUpstreamPort = "pcie-switch-upstream-port"
    case pcieSwitchDownstreamPort = "pcie-switch-downstream-port"
    case pciExpanderBus = "pci-expander-bus"
    case pcieExpanderBus = "pcie-expander-bus"
    // SCSI
    case auto, buslogic, lsilogic, lsisas1068, lsisas1078, vmpvscsi, ibmvscsi, am53c974, dc390
    case ncr53c90
    case virtioSCSI = "virtio-scsi"
    // SCSI and virtio-serial
    case virtio
    case virtioTransitional = "virtio-transitional"
    case virtioNonTransitional = "virtio-non-transitional"
    // USB
    case piix3UHCI = "piix3-uhci"
    case piix4UHCI = "piix4-uhci"
    case ehci
    case ich9EHCI1 = "ich9-ehci1"
    case ich9UHCI1 = "ich9-uhci1"
    case ich9UHCI2 = "ich9-uhci2"
    case ich9UHCI3 = "ich9-uhci3"
    case vt82c686bUHCI = "vt82c686b-uhci"
    case pciOHCI = "pci-ohci"
    case necXHCI = "nec-xhci"
    case qusb1, qusb2
    case qemuXHCI = "qemu-xhci"
    case none
    // IDE
    case piix3, piix4, ich6

    /// The kinds of controllers that know the word.
    package var kinds: Set<Controller.Kind> {
        switch self {
        case .pciRoot, .pcieRoot, .pciBridge, .dmiToPCIBridge, .pcieToPCIBridge, .pcieRootPort, .pcieSwitchUpstreamPort,
            .pcieSwitchDownstreamPort, .pciExpanderBus, .pcieExpanderBus:
            [.pci]
        case .auto, .buslogic, .lsilogic, .lsisas1068, .lsisas1078, .vmpvscsi, .ibmvscsi, .am53c974, .dc390, .ncr53c90,
            .virtioSCSI:
            [.scsi]
        case .virtio: [.virtioSerial]
        case .virtioTransitional, .virtioNonTransitional: [.scsi, .virtioSerial]
        case .piix3UHCI, .piix4UHCI, .ehci, .ich9EHCI1, .ich9UHCI1, .ich9UHCI2, .ich9UHCI3, .vt82c686bUHCI, .pciOHCI,
            .necXHCI, .qusb1, .qusb2, .qemuXHCI, .none:
            [.usb]
        case .piix3, .piix4, .ich6: [.ide]
        }
    }

    /// The first port of its master that a companion of an ICH9 EHCI controller serves by itself.
    package var companionPort: UInt32? {
        switch self {
        case .ich9UHCI1: 0
        case .ich9UHCI2: 2
        case .ich9UHCI3: 4
        default: nil
        }
    }

    /// The three companions of an ICH9 EHCI controller.
    package var isICH9Companion: Bool {
        switch self {
        case .ich9UHCI1, .ich9UHCI2, .ich9UHCI3: true
        default: false
        }
    }
}
