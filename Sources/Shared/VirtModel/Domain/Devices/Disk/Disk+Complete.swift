import VirtCore
import VirtXML

extension Disk {
    mutating func complete(_ context: DomainCompletion) {
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
        if source.type == .network { source.network.complete() }
    }

    /// A disk that only names a throttle group has the limits of the group's first disk that says some.
    static func complete(all devices: inout [Disk], _ context: DomainCompletion) {
        for index in devices.indices {
            guard let tune = devices[index].ioTune, let group = tune.groupName, !tune.hasLimits else { continue }
            let model = devices.first { $0.ioTune?.groupName == group && $0.ioTune?.hasLimits == true }
            if let limits = model?.ioTune { devices[index].ioTune = limits }
        }
    }

    private mutating func completeEncryption() {
        if encryption != nil, encryption?.engine == nil { encryption?.engine = .qemu }
        if source.encryption != nil, source.encryption?.engine == nil { source.encryption?.engine = .qemu }
        backingStore = backingStore.map { $0.completed() }
    }

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

    /// The place on a controller that the letters of the target's name stand for; nil on buses without drives.
    func drivePlace(_ name: String) throws(VirtError) -> DriveAddress? {
        guard let index = Target.index(of: name) else {
            throw VirtError.malformed("Unknown disk name '\(name)' and no address specified")
        }
        return switch target.bus {
        case .scsi: DriveAddress(controller: index / 7, unit: index % 7)
        case .ide: DriveAddress(controller: index / 4, bus: index % 4 / 2, unit: index % 2)
        case .sata: DriveAddress(controller: index / 6, unit: index % 6)
        case .fdc: DriveAddress(controller: index / 2, unit: index % 2)
        case .virtio, .xen, .usb, .uml, .sd, .some(.none), nil: nil
        }
    }
}

extension DiskNetwork {
    /// An iSCSI target without a unit is its first one; servers listen on their protocol's known port.
    fileprivate mutating func complete() {
        if `protocol` == .iscsi { name = name.map(Self.withUnit) }
        guard let port = `protocol`?.standardPort else { return }
        for index in hosts.indices where hosts[index].port == nil && hosts[index].transport != .unix {
            hosts[index].port = port
        }
    }

    static func withUnit(_ name: String) -> String { name.contains("/") ? name : name + "/0" }
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
