import VirtCore
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
