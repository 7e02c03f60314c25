import VirtCore
package import VirtXML

/// A device of the host given to the guest (`<hostdev>`).
package struct Hostdev: GuestDevice {
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
        if x.isReading, mode != "subsystem", mode != "capabilities" {
            throw VirtError.unsupported("unknown hostdev mode '\(mode)'", .domain)
        }
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
        if type == .mdev {
            try x.attribute("display", &display, .onOff)
            try x.attribute("ramfb", &ramfb, .onOff)
        }
        if let node = x.node, node.child("source") == nil {
            throw VirtError.malformed("Missing <source> element in hostdev device")
        }
        try x.valueElement("driver", "name", &driverName)
        try x.element("source", &source, always: true)
        try x.element("teaming", &teaming)
        try x.presence("readonly", &readonly)
        try x.presence("shareable", &shareable)
        try info.map(&x, [.boot, .rom])
    }
}

extension Hostdev {
    mutating func complete(_ context: DomainCompletion) throws(VirtError) {
        switch type {
        case .scsi: source.name = source.name.map(DiskNetwork.withUnit)
        case .mdev: try completeMediated()
        case .pci, .usb, .scsiHost: break
        }
    }

    private mutating func completeMediated() throws(VirtError) {
        if model == .vfioPCI, display == nil { display = false }
        guard let address = info.address, let model else { return }
        let fits =
            switch model {
            case .vfioPCI: address.kind == .pci
            case .vfioCCW: address.kind == .ccw
            case .vfioAP, .virtio, .virtioTransitional, .virtioNonTransitional: true
            }
        guard !fits else { return }
        throw VirtError.malformed(
            "Unsupported address type '\(address.kind.rawValue)' with mediated device model '\(model.rawValue)'")
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        try info.validate(context)
        if sgio == .unfiltered { throw VirtError.unsupported("unfiltered sgio is no longer supported", .qemu) }
        if type == .scsiHost, info.boot != nil {
            throw VirtError.unsupported(
                "booting from assigned devices is not supported by vhost SCSI devices", .qemu)
        }
        if type == .pci, source.writeFiltering != nil {
            throw VirtError.unsupported(
                "Write filtering of PCI device configuration space is not supported by qemu", .qemu)
        }
        if type == .pci, let address = info.address, address != .unassigned, address.pci == nil {
            throw VirtError(.internalError, .domain, "PCI host devices must use 'pci' or 'unassigned' address type")
        }
        guard type == .mdev else { return }
        if display == true, context.devices.graphics.isEmpty {
            throw VirtError.unsupported(
                "graphics device is needed for attribute value 'display=on' in <hostdev>", .qemu)
        }
        if model == .vfioAP, info.boot != nil {
            throw VirtError.unsupported(
                "booting from assigned devices is not supported by mediated devices of model vfio-ap", .qemu)
        }
    }

    /// Whether both are the same device of the host.
    package func isSameDevice(as other: Hostdev) -> Bool {
        guard type == other.type else { return false }
        switch type {
        case .pci: return source.pci == other.source.pci
        case .usb:
            guard source.usbBus != nil else {
                return source.vendor == other.source.vendor && source.product == other.source.product
            }
            return source.usbBus == other.source.usbBus && source.usbDevice == other.source.usbDevice
        case .scsi: return source == other.source
        case .mdev: return source.mdevUUID == other.source.mdevUUID
        case .scsiHost: return source.wwpn == other.source.wwpn
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

extension Hostdev: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        switch type {
        case .pci, .mdev: policy.express
        case .scsiHost: policy.virtio(isTransitional: model == .virtioTransitional)
        case .usb, .scsi: []
        }
    }

    func isVirtio(ccw: Bool) -> Bool { type == .scsiHost }
    var isVFIOCCW: Bool { type == .mdev && model == .vfioCCW }
}
