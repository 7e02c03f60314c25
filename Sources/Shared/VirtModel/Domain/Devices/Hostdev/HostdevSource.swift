package import VirtCore
package import VirtXML

/// Which of the host's devices.
package struct HostdevSource: Equatable, Sendable, XMLMappable {
    package enum StartupPolicy: String, XMLEnum { case mandatory, requisite, optional }

    package var type = Hostdev.Kind.pci
    package var startupPolicy: StartupPolicy?
    package var writeFiltering: Bool?
    package var pci = PCIAddress()
    package var vendor: UInt32?
    package var product: UInt32?
    package var usbBus: UInt32?
    package var usbDevice: UInt32?
    package var usbGuestReset: String?
    /// The running guest was started without the device.
    package var usbMissing: Bool?
    package var mdevUUID: UUID?
    package var `protocol`: String?
    package var wwpn: String?
    package var adapter: String?
    package var scsiAddress = DriveAddress()
    package var name: String?
    package var hosts: [DiskNetwork.Host] = []
    package var auth: StorageAuth?
    package var initiatorIQN: String?
    /// The number of a running guest's block node ("libvirt-N-backend"); no part of any document.
    package var nodeIndex: UInt32?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        switch type {
        case .pci:
            try x.attribute("writeFiltering", &writeFiltering)
            try x.group("address") { try pci.map(&$0) }
        case .usb: try mapUSB(&x)
        case .mdev:
            try x.group("address") { try $0.attribute("uuid", &mdevUUID) }
            if x.isReading, mdevUUID == nil {
                throw VirtError.unsupported("Missing 'uuid' attribute for element <address>")
            }
        case .scsi: try mapSCSI(&x)
        case .scsiHost:
            try x.attribute("protocol", &`protocol`)
            try x.attribute("wwpn", &wwpn)
        }
    }

    private mutating func mapUSB<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("startupPolicy", &startupPolicy)
        try x.attribute("guestReset", &usbGuestReset)
        if !x.flags.contains(.inactive) { try x.attribute("missing", &usbMissing) }
        try x.valueElement("vendor", "id", &vendor, .hex(4))
        try x.valueElement("product", "id", &product, .hex(4))
        try x.group("address") { x in
            try x.attribute("bus", &usbBus, .anyBase)
            try x.attribute("device", &usbDevice, .anyBase)
        }
    }

    private mutating func mapSCSI<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("protocol", &`protocol`)
        if x.isReading, `protocol` == "adapter" { `protocol` = nil }
        if `protocol` == "iscsi" {
            try x.attribute("name", &name)
            try x.elements("host", &hosts)
            try x.element("auth", &auth)
            try x.group("initiator") { try $0.valueElement("iqn", "name", &initiatorIQN) }
        } else {
            try x.valueElement("adapter", "name", &adapter)
            try x.group("address") { x in
                try x.attribute("bus", &scsiAddress.bus)
                try x.attribute("target", &scsiAddress.target)
                try x.attribute("unit", &scsiAddress.unit)
            }
        }
    }
}
