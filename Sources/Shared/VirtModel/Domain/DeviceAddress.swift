import VirtCore
package import VirtXML

/// Where a device is plugged in (`<address>`).
package enum DeviceAddress: Equatable, Sendable {
    case pci(PCIAddress)
    case drive(DriveAddress)
    case virtioSerial(VirtioSerialAddress)
    case ccid(CCIDAddress)
    case usb(USBAddress)
    case spaprVIO(SpaprVIOAddress)
    case ccw(CCWAddress)
    case virtioMMIO
    case isa(ISAAddress)
    case dimm(DIMMAddress)
    /// A host device that the guest does not get for now.
    case unassigned

    /// The word in the `type` attribute.
    package enum Kind: String, XMLEnum {
        case pci, drive, ccid, usb, ccw, isa, dimm, unassigned
        case virtioSerial = "virtio-serial"
        case spaprVIO = "spapr-vio"
        case virtioMMIO = "virtio-mmio"
    }

    package var kind: Kind {
        switch self {
        case .pci: .pci
        case .drive: .drive
        case .virtioSerial: .virtioSerial
        case .ccid: .ccid
        case .usb: .usb
        case .spaprVIO: .spaprVIO
        case .ccw: .ccw
        case .virtioMMIO: .virtioMMIO
        case .isa: .isa
        case .dimm: .dimm
        case .unassigned: .unassigned
        }
    }

    /// The PCI address, if it is one.
    package var pci: PCIAddress? {
        if case .pci(let address) = self { return address }
        return nil
    }
}

extension DeviceAddress: XMLMappable {
    package init() { self = .unassigned }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var kind = self.kind
        try x.required(
            "type", &kind, invalid: .unsupported("unknown address type"),
            missing: VirtError(.internalError, .domain, "No type specified for device address"))
        switch kind {
        case .pci: self = .pci(try mapped(pci, &x))
        case .drive:
            var address: DriveAddress?
            if case .drive(let own) = self { address = own }
            self = .drive(try mapped(address, &x))
        case .virtioSerial:
            var address: VirtioSerialAddress?
            if case .virtioSerial(let own) = self { address = own }
            self = .virtioSerial(try mapped(address, &x))
        case .ccid:
            var address: CCIDAddress?
            if case .ccid(let own) = self { address = own }
            self = .ccid(try mapped(address, &x))
        case .usb:
            var address: USBAddress?
            if case .usb(let own) = self { address = own }
            self = .usb(try mapped(address, &x))
        case .spaprVIO:
            var address: SpaprVIOAddress?
            if case .spaprVIO(let own) = self { address = own }
            self = .spaprVIO(try mapped(address, &x))
        case .ccw:
            var address: CCWAddress?
            if case .ccw(let own) = self { address = own }
            self = .ccw(try mapped(address, &x))
        case .isa:
            var address: ISAAddress?
            if case .isa(let own) = self { address = own }
            self = .isa(try mapped(address, &x))
        case .dimm:
            var address: DIMMAddress?
            if case .dimm(let own) = self { address = own }
            self = .dimm(try mapped(address, &x))
        case .virtioMMIO: self = .virtioMMIO
        case .unassigned: self = .unassigned
        }
    }

    private func mapped<Address: XMLMappable, M: ElementMapper>(_ own: Address?, _ x: inout M) throws -> Address {
        var address = own ?? Address()
        try address.map(&x)
        return address
    }
}
