import VirtCore
import VirtXML

extension Disk {
    func validate(_ context: DomainValidation) throws(VirtError) {
        guard let name = target.dev else { throw VirtError(.noTarget, .domain, source.path) }
        if name.utf8.last.map({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) == true {
            throw VirtError.unsupported("invalid disk target '\(name)', partitions can't appear in disk targets")
        }
        if case .drive(let place) = info.address, let bus = target.bus { try place.validate(bus, context) }
        try validateKind(name)
        if sgio == .unfiltered { throw VirtError.unsupported("unfiltered sgio is no longer supported", .qemu) }
        try validateFormat()
        try validateAddress(name)
        if device == .disk || device == .lun, target.bus == .fdc {
            throw VirtError(.internalError, .domain, "Invalid bus type 'fdc' for disk")
        }
        try validateSecrets()
        try validateStorage(name, context)
        if vendor != nil || product != nil, target.bus != .scsi {
            throw VirtError.unsupported("Only scsi disk supports vendor and product", .qemu)
        }
        if shareable, let format = driver?.type, format != "raw", source.type != .volume {
            throw VirtError.unsupported(
                "shared access for disk '\(name)' requires use of supported storage format", .qemu)
        }
        if device == .lun { try validateLUN() }
        if device == .floppy, target.bus != .fdc, target.bus != .usb {
            throw VirtError(.internalError, .qemu, "Invalid bus type '\(target.bus?.rawValue ?? "")' for floppy disk")
        }
    }

    /// What only some kinds of disks have.
    private func validateKind(_ name: String) throws(VirtError) {
        if rawIO != nil, device != .lun {
            throw VirtError.unsupported("rawio can be used only with device='lun'")
        }
        if target.removable != nil, target.bus != .usb {
            throw VirtError.malformed("removable is only valid for usb disks")
        }
        if let program = driver?.name, program != "qemu" {
            throw VirtError.unsupported("unsupported driver name '\(program)' for disk '\(name)'", .qemu)
        }
        if driver?.metadataCache != nil, driver?.type != "qcow2" {
            throw VirtError.unsupported("metadata cache max size control is supported only with qcow2 images", .qemu)
        }
        if target.bus != .virtio { try driver?.virtio.refuse() }
    }

    private func validateFormat() throws(VirtError) {
        guard let format = driver?.type else { return }
        switch format {
        case "iso":
            throw VirtError.unsupported(
                "storage format 'iso' is not directly supported by QEMU, use 'raw' instead", .qemu)
        case "cow": throw VirtError.unsupported("'cow' storage format is not supported", .qemu)
        case "dir" where source.type != .dir:
            throw VirtError.unsupported("storage format 'dir' is not directly supported by QEMU", .qemu)
        default: return
        }
    }

    private func validateAddress(_ name: String) throws(VirtError) {
        guard let address = info.address, let bus = target.bus else { return }
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
    private func validateSecrets() throws(VirtError) {
        if auth != nil, source.auth != nil {
            throw VirtError.unsupported("an <auth> definition already found for disk source")
        }
        if encryption != nil, source.encryption != nil {
            throw VirtError.unsupported("an <encryption> definition already found for disk source")
        }
        if let own = encryption ?? source.encryption, own.format == .luks2, own.engine != .librbd {
            throw VirtError.unsupported("luks2 is currently not supported by the qemu encryption engine", .qemu)
        }
        if (encryption ?? source.encryption)?.cipher != nil {
            throw VirtError.unsupported(
                "supplying <cipher> for domain disk definition is unnecessary", .qemu)
        }
        guard let auth = auth ?? source.auth, let secret = auth.secret else { return }
        guard let type = secret.type else { throw VirtError.unsupported("unknown secret type '<null>'", .storage) }
        let wanted: String? =
            switch source.network.protocol {
            case .iscsi: "iscsi"
            case .rbd: "ceph"
            default: nil
            }
        guard source.type == .network, let wanted, wanted != type else { return }
        throw VirtError.unsupported("invalid secret type '\(type)'", .storage)
    }

    private func validateLUN() throws(VirtError) {
        guard target.bus == .scsi || target.bus == .virtio else {
            throw VirtError.unsupported(
                "disk device='lun' is not supported for bus='\(target.bus?.rawValue ?? "")'", .qemu)
        }
        switch source.type {
        case .block, .volume, .network: return
        default: throw VirtError.unsupported("disk device='lun' is only valid for block type disk source")
        }
    }

    // MARK: Source, driver and limits

    private func validateStorage(_ name: String, _ context: DomainValidation) throws(VirtError) {
        try validateSource(name, context)
        try validateDriver(name, context)
        if source.reservations != nil, device != .lun {
            throw VirtError.unsupported("<reservations/> allowed only for lun devices", .qemu)
        }
        if device == .cdrom, target.bus == .virtio {
            throw VirtError.unsupported("disk type of '\(name)' does not support ejectable media", .qemu)
        }
        if let wwn {
            let digits = wwn.hasPrefix("0x") ? wwn.dropFirst(2) : wwn[...]
            if digits.utf8.count != 16 || !digits.utf8.allSatisfy(Self.isHexDigit) {
                throw VirtError(.internalError, .domain, "Malformed wwn: \(wwn)")
            }
        }
        try ioTune?.validate()
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool { Character(UnicodeScalar(byte)).isHexDigit }

    private func validateSource(_ name: String, _ context: DomainValidation) throws(VirtError) {
        if source.isEmpty, device == .disk || device == .lun { throw VirtError(.noSource, .domain, name) }
        if source.type == .vhostuser, !context.hasSharedMemory {
            throw VirtError.unsupported("'vhostuser' requires shared memory", .qemu)
        }
        if source.type == .dir, driver?.type == "fat", device == .disk, !readonly {
            throw VirtError.unsupported("virtual FAT storage can't be accessed in read-write mode", .qemu)
        }
    }

    private func validateDriver(_ name: String, _ context: DomainValidation) throws(VirtError) {
        guard let driver else { return }
        if driver.io == .native, driver.cache != DiskDriver.Cache.none, driver.cache != .directsync {
            throw VirtError.unsupported(
                "io='native' needs either no disk cache or directsync cache mode, QEMU will fallback to io='threads'",
                .qemu)
        }
        guard let thread = driver.iothread else { return }
        guard target.bus == .virtio else {
            throw VirtError.unsupported(
                "IOThreads not available for bus \(target.bus?.rawValue ?? "") target \(name)", .qemu)
        }
        guard context.domain.iothreadIDs.contains(where: { $0.id == thread }) else {
            throw VirtError.unsupported("Disk iothread '\(thread)' not defined in iothreadid", .qemu)
        }
    }
}

extension IOTune {
    fileprivate func validate() throws(VirtError) {
        let pairs: [(IOTune.Limits, String)] = [
            (bytes, "bytes_sec"), (iops, "iops_sec"), (bytesMaximum, "bytes_sec_max"), (iopsMaximum, "iops_sec_max"),
        ]
        for (limits, text) in pairs where (limits.total ?? 0) > 0 {
            guard (limits.read ?? 0) > 0 || (limits.write ?? 0) > 0 else { continue }
            throw VirtError.malformed("total and read/write \(text) cannot be set at the same time")
        }
    }
}
