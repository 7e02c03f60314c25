/// What a PCI device needs of the bus that it is plugged into, and what a bus offers.
struct PCIConnection: OptionSet {
    let rawValue: UInt16

    /// libvirt may choose the bus for a device.
    static let autoAssign = PCIConnection(rawValue: 1 << 0)
    static let hotpluggable = PCIConnection(rawValue: 1 << 1)
    /// Several of the kind share a slot, one per function.
    static let aggregate = PCIConnection(rawValue: 1 << 2)
    static let pciDevice = PCIConnection(rawValue: 1 << 4)
    static let pcieDevice = PCIConnection(rawValue: 1 << 5)
    static let pcieRootPort = PCIConnection(rawValue: 1 << 6)
    static let pcieSwitchUpstreamPort = PCIConnection(rawValue: 1 << 7)
    static let pcieSwitchDownstreamPort = PCIConnection(rawValue: 1 << 8)
    static let dmiToPCIBridge = PCIConnection(rawValue: 1 << 9)
    static let pciExpanderBus = PCIConnection(rawValue: 1 << 10)
    static let pcieExpanderBus = PCIConnection(rawValue: 1 << 11)
    static let pciBridge = PCIConnection(rawValue: 1 << 12)
    static let pcieToPCIBridge = PCIConnection(rawValue: 1 << 13)
    /// A part of the machine: on the root bus only.
    static let integrated = PCIConnection(rawValue: 1 << 14)

    static let endpoints: PCIConnection = [.pciDevice, .pcieDevice]
    static let kinds = PCIConnection(rawValue: 0xFFF0)

    /// How libvirt's errors name what the device needs.
    var name: String {
        let names: [(PCIConnection, String)] = [
            (.pciDevice, "standard PCI device"), (.pcieDevice, "PCI Express device"),
            (.pcieRootPort, "pcie-root-port"), (.pcieSwitchUpstreamPort, "pcie-switch-upstream-port"),
            (.pcieSwitchDownstreamPort, "pcie-switch-downstream-port"), (.dmiToPCIBridge, "dmi-to-pci-bridge"),
            (.pcieToPCIBridge, "pcie-to-pci-bridge"), (.pciExpanderBus, "pci-expander-bus"),
            (.pcieExpanderBus, "pcie-expander-bus"), (.pciBridge, "pci-bridge"),
        ]
        return names.first { contains($0.0) }?.1 ?? "PCI device"
    }
}

extension ControllerModel {
    /// What a PCI controller needs on the bus above it.
    var upstream: PCIConnection {
        switch self {
        case .pciBridge: .pciBridge
        case .pciExpanderBus: .pciExpanderBus
        case .pcieExpanderBus: .pcieExpanderBus
        case .dmiToPCIBridge: .dmiToPCIBridge
        case .pcieToPCIBridge: .pcieToPCIBridge
        case .pcieRootPort: [.pcieRootPort, .aggregate]
        case .pcieSwitchUpstreamPort: .pcieSwitchUpstreamPort
        case .pcieSwitchDownstreamPort: .pcieSwitchDownstreamPort
        default: []
        }
    }

    /// What a PCI controller offers below it, and the slots that it has.
    var downstream: (accepts: PCIConnection, slots: ClosedRange<UInt32>) {
        switch self {
        case .pciRoot: ([.autoAssign, .pciDevice, .pciBridge, .pciExpanderBus, .hotpluggable], 1...31)
        case .pciBridge, .pcieToPCIBridge: ([.autoAssign, .pciDevice, .pciBridge, .hotpluggable], 1...31)
        case .pciExpanderBus: ([.autoAssign, .pciDevice, .pciBridge, .hotpluggable], 0...31)
        case .pcieRoot: ([.pcieDevice, .pcieRootPort, .dmiToPCIBridge, .pcieExpanderBus, .integrated], 1...31)
        case .dmiToPCIBridge: ([.pciDevice, .pciBridge], 0...31)
        case .pcieRootPort, .pcieSwitchDownstreamPort:
            ([.autoAssign, .pcieDevice, .pcieSwitchUpstreamPort, .pcieToPCIBridge, .hotpluggable], 0...0)
        case .pcieSwitchUpstreamPort: (.pcieSwitchDownstreamPort, 0...31)
        case .pcieExpanderBus: ([.pcieRootPort, .dmiToPCIBridge], 0...31)
        default: ([], 0...0)
        }
    }
}
