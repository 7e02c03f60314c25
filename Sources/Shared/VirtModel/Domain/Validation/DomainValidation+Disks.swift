import VirtCore
import VirtXML

extension DomainValidation {
    func check(_ disk: Disk) throws {
        guard let name = disk.target.dev else {
            throw VirtError(.noTarget, .domain, disk.source.path)
        }
        if name.utf8.last.map({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) == true {
            throw VirtError.unsupported("invalid disk target '\(name)', partitions can't appear in disk targets")
        }
        if disk.sgio == .unfiltered { throw VirtError.unsupported("unfiltered sgio is no longer supported", .qemu) }
        try checkFormat(disk)
        try checkAddress(disk, name)
        try checkSecrets(disk)
        try checkStorage(disk, name)
        if disk.vendor != nil || disk.product != nil, disk.target.bus != .scsi {
            throw VirtError.unsupported("Only scsi disk supports vendor and product", .qemu)
        }
        if disk.shareable, let format = disk.driver?.type, format != "raw", disk.source.type != .volume {
            throw VirtError.unsupported(
                "shared access for disk '\(name)' requires use of supported storage format", .qemu)
        }
        if disk.device == .lun { try checkLUN(disk) }
        if disk.device == .floppy, disk.target.bus != .fdc, disk.target.bus != .usb {
            throw VirtError(
                .internalError, .qemu, "Invalid bus type '\(disk.target.bus?.rawValue ?? "")' for floppy disk")
        }
    }

    private func checkFormat(_ disk: Disk) throws {
        guard let format = disk.driver?.type else { return }
        switch format {
        case "iso":
            throw VirtError.unsupported(
                "storage format 'iso' is not directly supported by QEMU, use 'raw' instead", .qemu)
        case "cow": throw VirtError.unsupported("'cow' storage format is not supported", .qemu)
        case "dir" where disk.source.type != .dir:
            throw VirtError.unsupported("storage format 'dir' is not directly supported by QEMU", .qemu)
        default: return
        }
    }

    private func checkAddress(_ disk: Disk, _ name: String) throws {
        guard let address = disk.info.address, let bus = disk.target.bus else { return }
        switch (bus, address) {
        case (.usb, .usb), (.scsi, .drive), (.ide, .drive), (.sata, .drive), (.fdc, .drive): return
        case (.usb, _): throw VirtError(.internalError, .qemu, "unexpected address type for usb disk")
        case (.scsi, _), (.ide, _), (.sata, _), (.fdc, _):
            throw VirtError.unsupported(
                "Invalid address type '\(address.kind.rawValue)' for the disk '\(name)' with the bus type "
                    + "'\(bus.rawValue)'"
            )
        default: return
        }
    }

    /// Credentials and encryption stand in one place only.
    private func checkSecrets(_ disk: Disk) throws {
        if disk.auth != nil, disk.source.auth != nil {
            throw VirtError.unsupported("an <auth> definition already found for disk source")
        }
        if disk.encryption != nil, disk.source.encryption != nil {
            throw VirtError.unsupported("an <encryption> definition already found for disk source")
        }
        if (disk.encryption ?? disk.source.encryption)?.cipher != nil {
            throw VirtError.unsupported(
                "supplying <cipher> for domain disk definition is unnecessary", .qemu)
        }
        guard let auth = disk.auth ?? disk.source.auth, let secret = auth.secret else { return }
        guard let type = secret.type else { throw VirtError.unsupported("unknown secret type '<null>'", .storage) }
        let wanted: String? =
            switch disk.source.network.protocol {
            case .iscsi: "iscsi"
            case .rbd: "ceph"
            default: nil
            }
        guard disk.source.type == .network, let wanted, wanted != type else { return }
        throw VirtError.unsupported("invalid secret type '\(type)'", .storage)
    }

    private func checkLUN(_ disk: Disk) throws {
        guard disk.target.bus == .scsi || disk.target.bus == .virtio else {
            throw VirtError.unsupported(
                "disk device='lun' is not supported for bus='\(disk.target.bus?.rawValue ?? "")'", .qemu)
        }
        switch disk.source.type {
        case .block, .volume, .network: return
        default: throw VirtError.unsupported("disk device='lun' is only valid for block type disk source")
        }
    }

    /// No two disks with a name, and no two drives at a place.
    func checkDuplicates() throws {
        var names: [String: Disk] = [:]
        for disk in devices.disks {
            guard let name = disk.target.dev, let first = names.updateValue(disk, forKey: name) else { continue }
            throw VirtError.malformed(
                "target '\(name)' duplicated for disk sources '\(first.source.path ?? "<null>")' and "
                    + "'\(disk.source.path ?? "<null>")'"
            )
        }
        var places: Set<String> = []
        for disk in devices.disks {
            guard case .drive(let address) = disk.info.address, let bus = disk.target.bus else { continue }
            if !places.insert(bus.rawValue + address.text).inserted {
                throw VirtError.unsupported(
                    "Found duplicate drive address for disk with target name '\(disk.target.dev ?? "")' \(address.text)"
                )
            }
        }
        try checkDuplicateHostdevs(places)
        try checkAliases()
    }

    private func checkDuplicateHostdevs(_ disks: Set<String>) throws {
        var places: Set<String> = []
        for (index, hostdev) in devices.hostdevs.enumerated() {
            if devices.hostdevs[..<index].contains(where: { $0.isSameDevice(as: hostdev) }) {
                throw VirtError.malformed("Hostdev already exists in the domain configuration")
            }
            guard hostdev.type == .scsi, case .drive(let address) = hostdev.info.address else { continue }
            if disks.contains("scsi" + address.text) {
                throw VirtError.unsupported("SCSI host address \(address.text) in use by another SCSI disk")
            }
            if !places.insert(address.text).inserted {
                throw VirtError.unsupported("SCSI host address \(address.text) in use by another SCSI host device")
            }
        }
    }

    private func checkAliases() throws {
        var seen: Set<String> = []
        var duplicate: String?
        domain.eachInfo { info in
            if let alias = info.alias, !seen.insert(alias).inserted, duplicate == nil { duplicate = alias }
        }
        if let duplicate { throw VirtError.malformed("non unique alias detected: \(duplicate)") }
    }
}

extension Hostdev {
    fileprivate func isSameDevice(as other: Hostdev) -> Bool {
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
