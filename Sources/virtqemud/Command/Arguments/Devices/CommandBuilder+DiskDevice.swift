import QEMUMonitor
import VirtCore
package import VirtModel

/// `-device` of a disk.
extension CommandBuilder {
    func diskDevice(_ disk: Disk, bootIndex: UInt32?) throws(VirtError) -> JSONObject {
        var properties = try busProperties(disk)
        if disk.shareable, disk.target.bus != .fdc { properties.add("share-rw", true) }
        if disk.source.type == .vhostuser {
            properties.add("chardev", "chr-vu-\(disk.info.alias ?? "")")
        } else if !disk.source.isEmpty {
            properties.add("drive", driveNode(disk))
        }
        properties.add("id", disk.info.alias)
        if !(disk.target.bus == .fdc && machine.isX86) { properties.add("bootindex", bootIndex) }
        addShape(disk, to: &properties)
        if let cache = disk.effectiveDriver?.cache, disk.device != .lun {
            properties.add("write-cache", onOff(cache != .writethrough && cache != .directsync))
        }
        addIdentity(disk, to: &properties)
        addErrorPolicies(disk, to: &properties)
        return properties
    }

    private func driveNode(_ disk: Disk) -> String {
        disk.driver?.copyOnRead == true
            ? "libvirt-CoR-\(disk.target.dev ?? "")" : "libvirt-\(disk.source.index ?? 0)-format"
    }

    private func busProperties(_ disk: Disk) throws(VirtError) -> JSONObject {
        let place: DriveAddress = if case .drive(let own) = disk.info.address { own } else { DriveAddress() }
        switch disk.target.bus {
        case .ide:
            return [
                "driver": .string(ideDriver(disk)), "bus": .string("ide.\(place.bus)"), "unit": .integer(place.unit),
            ]
        case .sata:
            let alias = controllerAlias(.sata, place.controller) ?? "ide"
            return ["driver": .string(ideDriver(disk)), "bus": .string("\(alias).\(place.unit)")]
        case .scsi: return try scsiProperties(disk, place)
        case .virtio: return try virtioProperties(disk)
        case .usb:
            var properties: JSONObject = ["driver": "usb-storage"]
            try addAddress(disk.info, to: &properties)
            return properties
        case .fdc: return ["driver": "floppy", "unit": .integer(place.unit)]
        case .xen, .uml, .sd, .none?, nil:
            let bus = disk.target.bus?.rawValue ?? "none"
            throw VirtError(.configUnsupported, .qemu, "unsupported disk bus '\(bus)' with device setup")
        }
    }

    private func ideDriver(_ disk: Disk) -> String { disk.device == .cdrom ? "ide-cd" : "ide-hd" }

    private func scsiProperties(_ disk: Disk, _ place: DriveAddress) throws(VirtError) -> JSONObject {
        let driver =
            switch disk.device {
            case .cdrom: "scsi-cd"
            case .lun: "scsi-block"
            case .disk, .floppy: "scsi-hd"
            }
        let alias = controllerAlias(.scsi, place.controller) ?? "scsi\(place.controller)"
        var properties: JSONObject = ["driver": .string(driver), "bus": .string(alias + ".0")]
        if controller(.scsi, place.controller)?.model?.hasSingleLUNs == true {
            properties.add("scsi-id", place.unit)
        } else {
            properties.add("channel", place.bus)
            properties.add("scsi-id", place.target)
            properties.add("lun", place.unit)
        }
        if disk.device != .lun {
            properties.add("device_id", disk.serial ?? "drive-\(disk.info.alias ?? "")")
        }
        return properties
    }

    private func virtioProperties(_ disk: Disk) throws(VirtError) -> JSONObject {
        let name = disk.source.type == .vhostuser ? "vhost-user-blk" : "virtio-blk"
        var properties: JSONObject = ["driver": .string(virtioDriver(name, disk.info, model: disk.model?.rawValue))]
        let driver = disk.driver
        if let driver { addVirtio(driver.virtio, to: &properties) }
        properties.add("iothread", driver?.iothread.map { "iothread\($0)" })
        properties.add("ioeventfd", driver?.ioeventfd)
        properties.add("event_idx", driver?.eventIndex)
        if disk.device == .lun, has(.virtioBlkPciScsi) { properties.add("scsi", true) }
        properties.add("num-queues", driver?.queues)
        properties.add("queue-size", driver?.queueSize)
        try addAddress(disk.info, to: &properties)
        return properties
    }

    private func addShape(_ disk: Disk, to properties: inout JSONObject) {
        if let sizes = disk.blockIO {
            properties.add("logical_block_size", sizes.logicalBlockSize)
            properties.add("physical_block_size", sizes.physicalBlockSize)
            properties.add("discard_granularity", sizes.discardGranularity)
        }
        if disk.target.bus != .fdc { properties.add("wwn", disk.wwn.flatMap(Self.worldWideName)) }
        properties.add("rotation_rate", disk.target.rotationRate)
        properties.add("vendor", disk.vendor)
        properties.add("product", disk.product)
        if disk.target.bus == .usb { properties.add("removable", disk.target.removable == true) }
        if let geometry = disk.geometry {
            properties.add("cyls", geometry.cylinders)
            properties.add("heads", geometry.heads)
            properties.add("secs", geometry.sectors)
            properties.add("bios-chs-trans", geometry.translation?.rawValue)
        }
    }

    private static func worldWideName(_ text: String) -> UInt64? {
        UInt64(text.hasPrefix("0x") ? text.dropFirst(2) : text[...], radix: 16)
    }

    private func addIdentity(_ disk: Disk, to properties: inout JSONObject) {
        // libvirt has always put a backslash before blanks.
        properties.add(
            "serial",
            disk.serial.map { $0.split(separator: " ", omittingEmptySubsequences: false) }
                .map { $0.joined(separator: "\\ ") })
    }

    private func addErrorPolicies(_ disk: Disk, to properties: inout JSONObject) {
        let write = disk.driver?.errorPolicy
        let read = disk.driver?.readErrorPolicy ?? (write == .enospace ? nil : write)
        properties.add("werror", write.flatMap(Self.word))
        properties.add("rerror", read.flatMap(Self.word))
    }

    private static func word(_ policy: DiskDriver.ErrorPolicy) -> String? {
        switch policy {
        case .default: nil
        case .enospace: "enospc"
        case .stop, .report, .ignore: policy.rawValue
        }
    }
}

extension ControllerModel {
    /// Controllers whose targets have one unit each.
    package var hasSingleLUNs: Bool {
        switch self {
        case .lsilogic: true
        default: false
        }
    }
}
