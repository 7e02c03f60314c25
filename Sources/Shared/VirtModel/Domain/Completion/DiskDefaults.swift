import VirtCore
import VirtXML

extension DomainCompletion {
    func completeDisks(_ domain: inout Domain) throws {
        for index in domain.devices.disks.indices {
            var disk = domain.devices.disks[index]
            try disk.complete()
            if disk.info.address == nil, let name = disk.target.dev {
                disk.info.address = try address(of: disk, name, domain)
            }
            domain.devices.disks[index] = disk
        }
        expandThrottleGroups(&domain)
    }

    /// A place on a controller from the letters of the target's name.
    private func address(of disk: Disk, _ name: String, _ domain: Domain) throws -> DeviceAddress? {
        guard let index = Disk.Target.index(of: name) else {
            throw VirtError.malformed("Unknown disk name '\(name)' and no address specified")
        }
        switch disk.target.bus {
        case .scsi:
            let address = DriveAddress(controller: index / 7, unit: index % 7)
            try domain.checkFree(address, name)
            return .drive(address)
        case .ide: return .drive(DriveAddress(controller: index / 4, bus: index % 4 / 2, unit: index % 2))
        case .sata: return .drive(DriveAddress(controller: index / 6, unit: index % 6))
        case .fdc: return .drive(DriveAddress(controller: index / 2, unit: index % 2))
        case .virtio, .xen, .usb, .uml, .sd, .some(.none), nil: return nil
        }
    }

    /// A disk that only names a group has the limits of the group's first disk that says some.
    private func expandThrottleGroups(_ domain: inout Domain) {
        for index in domain.devices.disks.indices {
            guard let tune = domain.devices.disks[index].ioTune, let group = tune.groupName, !tune.hasLimits else {
                continue
            }
            let model = domain.devices.disks.first { $0.ioTune?.groupName == group && $0.ioTune?.hasLimits == true }
            if let limits = model?.ioTune { domain.devices.disks[index].ioTune = limits }
        }
    }
}

extension Disk {
    /// Defaults that depend on the disk alone.
    fileprivate mutating func complete() throws {
        var driver = self.driver ?? DiskDriver()
        if driver.name == nil { driver.name = "qemu" }
        if driver.type == nil || driver.type == "aio", source.type != .volume { driver.type = "raw" }
        self.driver = driver
        if device == .cdrom { readonly = true }
        target.bus = busOrDefault
        if snapshot == nil, source.type == .vhostuser { snapshot = .no }
        // What can't be written has no snapshots anyway.
        if readonly, snapshot == .no { snapshot = nil }
        if source.type == .volume && source.pool == nil || source.type == .network && source.network.protocol == nil {
            source.type = .file
            self.driver?.type = "raw"
        }
        if source.type == .nvme, source.nvme?.managed == nil { source.nvme?.managed = true }
        completeEncryption()
        completeISCSI()
    }

    private mutating func completeEncryption() {
        if encryption != nil, encryption?.engine == nil { encryption?.engine = .qemu }
        if source.encryption != nil, source.encryption?.engine == nil { source.encryption?.engine = .qemu }
        backingStore = backingStore.map { $0.completed() }
    }

    /// An iSCSI target without a unit is its first one; a gluster server listens on its known port.
    private mutating func completeISCSI() {
        guard source.type == .network else { return }
        if source.network.protocol == .iscsi { source.network.name = source.network.name.map(Self.withUnit) }
        guard let port = source.network.protocol?.standardPort else { return }
        for index in source.network.hosts.indices {
            let host = source.network.hosts[index]
            if host.port == nil, host.transport != .unix { source.network.hosts[index].port = port }
        }
    }

    static func withUnit(_ name: String) -> String { name.contains("/") ? name : name + "/0" }

    /// The bus that the document says, or the one that the target's name stands for.
    var busOrDefault: Bus {
        if let bus = target.bus { return bus }
        if device == .floppy { return .fdc }
        let name = target.dev ?? ""
        if name.hasPrefix("hd") { return .ide }
        if name.hasPrefix("sd") { return .scsi }
        if name.hasPrefix("vd") { return .virtio }
        if name.hasPrefix("xvd") { return .xen }
        return name.hasPrefix("ubd") ? .uml : .ide
    }
}

extension DiskSource.NetworkProtocol {
    /// The port that servers of the protocol are known to listen on.
    fileprivate var standardPort: UInt32? {
        switch self {
        case .nbd: 10809
        case .sheepdog: 7000
        case .gluster: 24007
        case .iscsi: 3260
        case .http: 80
        case .https: 443
        case .ftp: 21
        case .ftps: 990
        case .tftp: 69
        case .ssh: 22
        case .vxhs: 9999
        case .rbd, .nfs: nil
        }
    }
}

extension BackingStore {
    fileprivate func completed() -> BackingStore {
        var result = self
        if result.source?.encryption != nil, result.source?.encryption?.engine == nil {
            result.source?.encryption?.engine = .qemu
        }
        result.backingStore = backingStore?.completed()
        return result
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

extension IOTune {
    /// Whether anything but the group's name is said.
    var hasLimits: Bool {
        var other = self
        other.groupName = nil
        return other != IOTune()
    }
}

extension Domain {
    fileprivate func checkFree(_ address: DriveAddress, _ name: String) throws {
        let isTaken = devices.hostdevs.contains { $0.type == .scsi && $0.info.address == .drive(address) }
        guard isTaken else { return }
        throw VirtError.unsupported(
            "using disk target name '\(name)' conflicts with SCSI host device address "
                + "controller='\(address.controller)' bus='0' target='0' unit='\(address.unit)"
        )
    }
}
