import VirtCore
import VirtXML

/// What a disk's source, driver and limits can't be.
extension DomainValidation {
    func checkStorage(_ disk: Disk, _ name: String) throws {
        try checkSource(disk, name)
        try checkDriver(disk, name)
        if disk.source.reservations != nil, disk.device != .lun {
            throw VirtError.unsupported("<reservations/> allowed only for lun devices", .qemu)
        }
        if disk.device == .cdrom, disk.target.bus == .virtio {
            throw VirtError.unsupported("disk type of '\(name)' does not support ejectable media", .qemu)
        }
        if let wwn = disk.wwn {
            let digits = wwn.hasPrefix("0x") ? wwn.dropFirst(2) : wwn[...]
            if digits.utf8.count != 16 || !digits.utf8.allSatisfy(Self.isHexDigit) {
                throw VirtError(.internalError, .domain, "Malformed wwn: \(wwn)")
            }
        }
        if let tune = disk.ioTune { try check(tune) }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool { Character(UnicodeScalar(byte)).isHexDigit }

    private func checkSource(_ disk: Disk, _ name: String) throws {
        if disk.source.isEmpty, disk.device == .disk || disk.device == .lun {
            throw VirtError(.noSource, .domain, name)
        }
        if disk.source.type == .vhostuser, !hasSharedMemory {
            throw VirtError.unsupported("'vhostuser' requires shared memory", .qemu)
        }
        if disk.source.type == .dir, disk.driver?.type == "fat", disk.device == .disk, !disk.readonly {
            throw VirtError.unsupported("virtual FAT storage can't be accessed in read-write mode", .qemu)
        }
    }

    private func checkDriver(_ disk: Disk, _ name: String) throws {
        guard let driver = disk.driver else { return }
        if driver.io == .native, driver.cache != DiskDriver.Cache.none, driver.cache != .directsync {
            throw VirtError.unsupported(
                "io='native' needs either no disk cache or directsync cache mode, QEMU will fallback to io='threads'",
                .qemu)
        }
        guard let thread = driver.iothread else { return }
        guard disk.target.bus == .virtio else {
            throw VirtError.unsupported(
                "IOThreads not available for bus \(disk.target.bus?.rawValue ?? "") target \(name)", .qemu)
        }
        guard domain.iothreadIDs.contains(where: { $0.id == thread }) else {
            throw VirtError.unsupported("Disk iothread '\(thread)' not defined in iothreadid", .qemu)
        }
    }

    private func check(_ tune: IOTune) throws {
        let pairs: [(IOTune.Limits, String)] = [
            (tune.bytes, "bytes_sec"), (tune.iops, "iops_sec"), (tune.bytesMaximum, "bytes_sec_max"),
            (tune.iopsMaximum, "iops_sec_max"),
        ]
        for (limits, text) in pairs where (limits.total ?? 0) > 0 {
            guard (limits.read ?? 0) > 0 || (limits.write ?? 0) > 0 else { continue }
            throw VirtError.malformed("total and read/write \(text) cannot be set at the same time")
        }
    }

    /// Whether another process can look into the guest's memory.
    var hasSharedMemory: Bool {
        if domain.memoryBacking.access == .shared { return true }
        let cells = domain.cpu?.numa?.cells ?? []
        return !cells.isEmpty && cells.allSatisfy { $0.access == .shared }
    }
}
