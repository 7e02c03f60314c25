package import VirtCore
package import VirtXML

/// A device of the host given to the guest (`<hostdev>`).
package struct Hostdev: Equatable, Sendable, XMLMappable {
    package enum Kind: String, XMLEnum {
        case usb, pci, scsi, mdev
        case scsiHost = "scsi_host"
    }
    package enum MdevModel: String, XMLEnum {
        case vfioPCI = "vfio-pci"
        case vfioCCW = "vfio-ccw"
        case vfioAP = "vfio-ap"
        case virtio
        case virtioTransitional = "virtio-transitional"
        case virtioNonTransitional = "virtio-non-transitional"
    }

    package var mode = "subsystem"
    package var type = Kind.pci
    package var managed: Bool?
    package var model: MdevModel?
    package var display: Bool?
    package var ramfb: Bool?
    package var sgio: Disk.UnfilteredSGIO?
    package var rawIO: Bool?
    package var driverName: String?
    package var source = HostdevSource()
    package var teaming: Interface.Teaming?
    package var readonly = false
    package var shareable = false
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("mode", &mode)
        if x.isReading, mode != "subsystem" {
            throw VirtError.unsupported("unsupported hostdev mode '\(mode)'", .domain)
        }
        try x.required("type", &type, invalid: .unsupported("unknown host device source address type"))
        source.type = type
        var isManaged = managed ?? false
        try x.attribute("managed", &isManaged)
        managed = isManaged
        try x.attribute("sgio", &sgio)
        try x.attribute("rawio", &rawIO)
        try x.attribute("model", &model)
        if x.isReading, type == .mdev, model == nil { throw VirtError.missingAttribute("model", of: "hostdev") }
        try x.attribute("display", &display, .onOff)
        try x.attribute("ramfb", &ramfb, .onOff)
        try x.valueElement("driver", "name", &driverName)
        try x.element("source", &source, always: true)
        try x.element("teaming", &teaming)
        try x.presence("readonly", &readonly)
        try x.presence("shareable", &shareable)
        try info.map(&x, [.boot, .rom])
    }
}

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

extension Interface {
    /// The device of the host that an interface of type `hostdev` is.
    package var hostDevice: Hostdev? {
        guard type == .hostdev, let place = source.hostAddress else { return nil }
        var device = Hostdev()
        device.managed = managed
        device.driverName = driver?.name?.rawValue
        device.teaming = teaming
        device.info = info
        switch place {
        case .pci(let address):
            device.type = .pci
            device.source.pci = address
        case .usb(let address):
            device.type = .usb
            device.source.usbBus = address.bus
            device.source.usbDevice = address.path.first
        default: return nil
        }
        device.source.type = device.type
        return device
    }
}
