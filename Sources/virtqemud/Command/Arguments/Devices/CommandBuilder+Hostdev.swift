import QEMUMonitor
import VirtCore
import VirtModel

/// Devices of the host that the guest gets.
extension CommandBuilder {
    mutating func addHostdevs() throws(VirtError) {
        // In a running guest, an interface that is a device of the host has its place before the others.
        for device in devices.interfaces.compactMap(\.hostDevice) + devices.hostdevs
        where device.info.address != .unassigned {
            addZPCI(device.info)
            switch device.source.type {
            case .usb: add(device: try usbHost(device))
            case .pci: add(device: try pciHost(device))
            case .mdev: add(device: try mediated(device))
            case .scsi: try addSCSI(device)
            case .scsiHost: add(device: try vhostSCSI(device))
            }
        }
    }

    /// A target of the kernel's, by its name.
    private mutating func vhostSCSI(_ device: Hostdev) throws(VirtError) -> JSONObject {
        let driver = virtioDriver("vhost-scsi", device.info, model: device.model?.rawValue)
        let descriptor = environment.vhostDescriptors[device.info.alias ?? ""] ?? invented()
        var properties: JSONObject = ["driver": .string(driver)]
        properties.add("wwpn", device.source.wwpn)
        properties.add("vhostfd", String(descriptor))
        properties.add("id", device.info.alias)
        try addAddress(device.info, to: &properties)
        return properties
    }

    private mutating func invented() -> Int32 {
        defer { inventedDescriptor += 1 }
        return inventedDescriptor
    }

    private func usbHost(_ device: Hostdev) throws(VirtError) -> JSONObject {
        var properties: JSONObject = ["driver": "usb-host"]
        if device.source.usbMissing != true {
            guard let bus = device.source.usbBus, let number = device.source.usbDevice else {
                throw VirtError(.internalError, .qemu, "USB host device is missing bus/device information")
            }
            let three = { (value: UInt32) in
                String(repeating: "0", count: max(0, 3 - String(value).count)) + String(value)
            }
            properties.add("hostdevice", "/dev/bus/usb/\(three(bus))/\(three(number))")
        }
        properties.add("id", device.info.alias)
        properties.add("bootindex", device.info.boot?.order)
        switch device.source.usbGuestReset {
        case "off": properties.add("guest-reset", false)
        case "uninitialized":
            properties.add("guest-reset", true)
            properties.add("guest-resets-all", false)
        case "always":
            properties.add("guest-reset", true)
            properties.add("guest-resets-all", true)
        default: break
        }
        try addAddress(device.info, to: &properties)
        return properties
    }

    private func pciHost(_ device: Hostdev) throws(VirtError) -> JSONObject {
        var properties: JSONObject = ["driver": "vfio-pci", "host": .string(device.source.pci.text)]
        properties.add("id", device.info.alias)
        properties.add("bootindex", device.info.boot?.order)
        if device.teaming?.type == .transient { properties.add("failover_pair_id", device.teaming?.persistent) }
        try addAddress(device.info, to: &properties)
        if let rom = device.info.rom { addROM(rom, to: &properties) }
        return properties
    }

    private func mediated(_ device: Hostdev) throws(VirtError) -> JSONObject {
        var driver = device.model?.rawValue ?? "vfio-pci"
        if device.ramfb == true { driver = "vfio-pci-nohotplug" }
        let path = "/sys/bus/mdev/devices/\(device.source.mdevUUID?.description ?? "")"
        var properties: JSONObject = [
            "driver": .string(driver), "id": .string(device.info.alias ?? ""), "sysfsdev": .string(path),
        ]
        properties.add("display", device.display.map(onOff))
        if device.ramfb == true { properties.add("ramfb", true) }
        properties.add("bootindex", device.info.boot?.order)
        try addAddress(device.info, to: &properties)
        return properties
    }

    private mutating func addSCSI(_ device: Hostdev) throws(VirtError) {
        let place: DriveAddress = if case .drive(let own) = device.info.address { own } else { DriveAddress() }
        let alias = controllerAlias(.scsi, place.controller) ?? "scsi\(place.controller)"
        let node = "libvirt-\(device.source.nodeIndex ?? 0)-backend"
        if let secret = secretObject("\(node)-secret0") { add(object: secret) }
        var storage = BlockStorage(scsiSource(device), node: node)
        storage.isBare = true
        storage.readonly = device.readonly
        add(blockdev: storage.properties)
        var properties: JSONObject = ["driver": "scsi-generic"]
        properties.add("share-rw", device.shareable ? true : nil)
        properties.add("drive", node)
        properties.add("id", device.info.alias)
        properties.add("bus", alias + ".0")
        if controller(.scsi, place.controller)?.model?.hasSingleLUNs == true {
            properties.add("scsi-id", place.unit)
        } else {
            properties.add("channel", place.bus)
            properties.add("scsi-id", place.target)
            properties.add("lun", place.unit)
        }
        properties.add("bootindex", device.info.boot?.order)
        add(device: properties)
    }

    /// The host's SCSI device as an image.
    private func scsiSource(_ device: Hostdev) -> DiskSource {
        guard device.source.protocol == "iscsi" else {
            var source = DiskSource()
            source.type = .block
            source.dev = "/dev/" + (environment.scsiGeneric[device.info.alias ?? ""] ?? "sg0")
            return source
        }
        var source = DiskSource()
        source.type = .network
        source.network.protocol = .iscsi
        source.network.name = device.source.name
        source.network.hosts = device.source.hosts
        source.network.initiatorIQN = device.source.initiatorIQN
        source.auth = device.source.auth
        return source
    }
}
