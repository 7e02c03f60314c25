import VirtCore
import VirtModel

/// What libvirt refuses to do to the devices of a persistent definition.
extension Devices {
    /// The kinds that only a definition as a whole has.
    private static let fixed: Set<String> = [
        "video", "graphics", "hub", "smartcard", "memballoon", "nvram", "tpm", "panic", "iommu", "audio", "crypto",
    ]

    /// libvirt's name of the kind of an element: what has a character device at the host is one kind.
    private static func libvirtKind(_ element: String) -> String {
        ["serial", "parallel", "console", "channel"].contains(element) ? "chr" : element
    }

    /// Refuses a kind of device that can't be put in or taken out.
    static func refuse(_ action: String, _ element: String) throws(VirtError) {
        guard fixed.contains(element) else { return }
        throw unsupported(action, element)
    }

    static func unsupported(_ action: String, _ element: String) -> VirtError {
        VirtError(
            .operationUnsupported, .qemu,
            "persistent \(action) of device '\(libvirtKind(element))' is not supported")
    }

    /// Refuses a device that is there already.
    func checkNew(_ document: DeviceDocument) throws(VirtError) {
        try Self.refuse("attach", document.kind)
        let new = document.devices
        if let name = new.disks.first?.target.dev, disks.contains(where: { $0.target.dev == name }) {
            throw Self.there("target \(name) already exists")
        }
        if let device = new.hostdevs.first, hostdevs.contains(where: { $0.isSameDevice(as: device) }) {
            throw Self.there("device is already in the domain configuration")
        }
        if let device = new.sharedMemories.first, sharedMemories.contains(where: { $0.name == device.name }) {
            throw Self.there("device is already in the domain configuration")
        }
        if let index = new.controllers.first?.index, let type = new.controllers.first?.type,
            controllers.contains(where: { $0.type == type && $0.index == index })
        {
            throw Self.there("controller index='\(index)' already exists")
        }
        if let place = new.filesystems.first?.targetDirectory,
            filesystems.contains(where: { $0.targetDirectory == place })
        {
            throw Self.there("Target already exists")
        }
        if let channel = new.channels.first, channels.contains(where: { $0.isSamePlace(as: channel) }) {
            throw Self.there("chardev already exists")
        }
        if !new.watchdogs.isEmpty, !watchdogs.isEmpty { throw Self.there("domain already has a watchdog") }
    }

    private static func there(_ text: String) -> VirtError { VirtError(.operationInvalid, .qemu, text) }
}

extension Devices {
    /// The devices that are not among `before`. Controllers are left out: they come by themselves.
    func added(to before: Devices) -> Devices {
        var new = Devices()
        func keep<Device: Equatable>(_ list: WritableKeyPath<Devices, [Device]>) {
            let old = before[keyPath: list]
            new[keyPath: list] = self[keyPath: list].filter { !old.contains($0) }
        }
        keep(\.disks)
        keep(\.leases)
        keep(\.filesystems)
        keep(\.interfaces)
        keep(\.serials)
        keep(\.parallels)
        keep(\.channels)
        keep(\.inputs)
        keep(\.graphics)
        keep(\.sounds)
        keep(\.hostdevs)
        keep(\.redirectedDevices)
        keep(\.watchdogs)
        keep(\.rngs)
        keep(\.sharedMemories)
        keep(\.memories)
        if vsock != before.vsock { new.vsock = vsock }
        return new
    }
}

extension Channel {
    /// Whether both are at the same end of the guest's.
    fileprivate func isSamePlace(as other: Channel) -> Bool {
        guard target == other.target else { return false }
        if let name, let otherName = other.name { return name == otherName }
        return info.address != nil && info.address == other.info.address
    }
}
