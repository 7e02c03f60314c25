import VirtXML

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
