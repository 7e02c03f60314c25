package import VirtXML

/// A disk, CD-ROM or floppy drive (`<disk>`).
package struct Disk: GuestDevice {
    package enum Device: String, XMLEnum { case disk, cdrom, floppy, lun }
    package enum Bus: String, XMLEnum { case ide, fdc, scsi, virtio, xen, usb, uml, sata, sd, none }
    package enum Model: String, XMLEnum {
        case virtio
        case virtioTransitional = "virtio-transitional"
        case virtioNonTransitional = "virtio-non-transitional"
    }
    package enum Snapshot: String, XMLEnum { case no, `internal`, external, manual }
    package enum UnfilteredSGIO: String, XMLEnum { case filtered, unfiltered }
    package enum Tray: String, XMLEnum { case closed, open }

    package var device = Device.disk
    package var model: Model?
    package var rawIO: Bool?
    package var sgio: UnfilteredSGIO?
    package var snapshot: Snapshot?
    package var driver: DiskDriver?
    /// Where the data is; its `type` is the disk's.
    package var source = DiskSource()
    /// Credentials that stand beside the source, libvirt's older place for them.
    package var auth: StorageAuth?
    @Boxed package var backingStore: BackingStore? = nil
    @Boxed package var mirror: DiskMirror? = nil
    /// The domain of a Xen host that serves the disk.
    package var backendDomain: String?
    package var geometry: DiskGeometry?
    package var blockIO: DiskBlockIO?
    package var target = Target()
    @Boxed package var ioTune: IOTune? = nil
    package var readonly = false
    package var shareable = false
    package var transient: Transient?
    package var serial: String?
    package var wwn: String?
    package var vendor: String?
    package var product: String?
    /// Encryption that stands beside the source, libvirt's older place for it.
    package var encryption: StorageEncryption?
    package var info = DeviceInfo()
    /// The device's name in QEMU's object model, only in status documents; by default what the alias makes it.
    package var qomName: String?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &source.type)
        try x.attribute("device", &device)
        try x.attribute("model", &model)
        try x.attribute("rawio", &rawIO)
        try x.attribute("sgio", &sgio)
        try x.attribute("snapshot", &snapshot)
        try x.element("driver", &driver)
        try x.element("auth", &auth)
        try x.element("source", &source)
        try x.element("backingStore", &backingStore)
        if !x.flags.contains(.inactive) { try x.element("mirror", &mirror) }
        try x.valueElement("backenddomain", "name", &backendDomain)
        try x.element("geometry", &geometry)
        try x.element("blockio", &blockIO)
        try x.element("target", &target)
        try x.element("iotune", &ioTune)
        try x.presence("readonly", &readonly)
        try x.presence("shareable", &shareable)
        try x.element("transient", &transient)
        try x.textElement("serial", &serial)
        try x.textElement("wwn", &wwn)
        try x.textElement("vendor", &vendor)
        try x.textElement("product", &product)
        try x.element("encryption", &encryption)
        try info.map(&x, [.boot])
        if x.flags.contains(.status) { try mapPrivateData(&x) }
    }

    private mutating func mapPrivateData<M: ElementMapper>(_ x: inout M) throws {
        var name = qomName
        if x.isWriting, name == nil, let alias = info.alias {
            name = target.bus == .virtio ? "/machine/peripheral/\(alias)/virtio-backend" : alias
        }
        try x.group("privateData") { try $0.valueElement("qom", "name", &name) }
        if x.isReading { qomName = name }
    }

    /// What the guest sees the disk as.
    package struct Target: Equatable, Sendable, XMLMappable {
        package var dev: String?
        package var bus: Bus?
        package var tray: Tray?
        package var removable: Bool?
        package var rotationRate: UInt32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("dev", &dev)
            try x.attribute("bus", &bus)
            try x.attribute("tray", &tray)
            if x.isReading, tray == .closed { tray = nil }
            try x.attribute("removable", &removable, .onOff)
            try x.attribute("rotation_rate", &rotationRate)
        }
    }

    /// Changes are forgotten when the guest stops.
    package struct Transient: Equatable, Sendable, XMLMappable {
        package var shareBacking: Bool?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("shareBacking", &shareBacking)
        }
    }
}

extension Disk.Target {
    private static let prefixes = ["fd", "hd", "vd", "sd", "xvd", "ubd"]

    /// The number in a disk's name: vda 0, vdz 25, vdaa 26. Nil for names of another form.
    package static func index(of name: String) -> UInt32? {
        guard let prefix = Self.prefixes.first(where: { name.utf8.starts(with: $0.utf8) }) else { return nil }
        var letters = name.utf8.dropFirst(prefix.utf8.count)
        // A partition's number does not count.
        while let last = letters.last, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(last) { letters.removeLast() }
        guard (1...6).contains(letters.count) else { return nil }
        var number: UInt32 = 0
        for (position, letter) in letters.enumerated() {
            guard (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) else { return nil }
            number = (position == 0 ? 0 : (number + 1) * 26) + UInt32(letter - UInt8(ascii: "a"))
        }
        return number
    }
}

extension Disk: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        target.bus == .virtio ? policy.virtio(isTransitional: model == .virtioTransitional) : []
    }

    func isVirtio(ccw: Bool) -> Bool { target.bus == .virtio }
}
