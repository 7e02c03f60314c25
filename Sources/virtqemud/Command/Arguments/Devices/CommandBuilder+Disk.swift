import QEMUMonitor
import VirtCore
package import VirtModel

/// Disks: block nodes of each image of the chain, then the device.
extension CommandBuilder {
    mutating func addDisks() throws(VirtError) {
        addFloppyBoot()
        let boot = bootIndexes
        for (index, disk) in devices.disks.enumerated() {
            // A guest that shares the image below gets the disk when it runs.
            if disk.transient?.shareBacking == true, !environment.endsBackingChains { continue }
            if disk.source.type == .vhostuser, let user = disk.source.vhostUser {
                addVhostUserChannel(disk, user)
            } else if disk.target.bus == .sd {
                addDrive(disk)
                continue
            } else if !disk.source.isEmpty {
                addImageSets(of: disk)
                for node in blockNodes(of: disk) {
                    for object in node.objects { add(object: object) }
                    add(blockdev: node.properties)
                }
            }
            addZPCI(disk.info)
            add(device: try diskDevice(disk, bootIndex: boot[index]))
        }
    }

    /// The descriptors of those images of a chain that a client opened.
    private mutating func addImageSets(of disk: Disk) {
        for image in disk.chain {
            guard let index = image.index, let set = environment.images[index] else { continue }
            for (position, descriptor) in set.descriptors.enumerated() {
                let name = ImageNodes.storageName(index) + String(position)
                add("-add-fd", "set=\(set.number),fd=\(descriptor),opaque=\(name)")
            }
        }
    }

    /// The place of each disk in the boot order: its own, or from `<boot dev=>` the first of each kind.
    private var bootIndexes: [UInt32?] {
        var places: [BootOptions.Device: UInt32] = [:]
        for (index, device) in domain.os.bootDevices.enumerated() where places[device] == nil {
            places[device] = UInt32(truncatingIfNeeded: index) + 1
        }
        return devices.disks.map { disk in
            if let boot = disk.info.boot { return boot.order }
            let kind: BootOptions.Device =
                switch disk.device {
                case .cdrom: .cdrom
                case .floppy: .fd
                case .disk, .lun: .hd
                }
            return places.removeValue(forKey: kind)
        }
    }

    /// A `-blockdev`, and the `-object`s that must exist before it.
    struct BlockNode {
        var properties: JSONObject
        var objects: [JSONObject] = []
    }

    /// The block nodes of a disk, the deepest image first.
    func blockNodes(of disk: Disk) -> [BlockNode] {
        var chain: [BlockNode] = []
        var list = disk.imageChain
        if !list.images.isEmpty { list.images[0].source = disk.effectiveSource }
        for (depth, image) in list.images.enumerated().reversed() {
            var nodes = ImageNodes(image, driver: disk.effectiveDriver)
            nodes.isTop = depth == 0
            nodes.isReadonly = depth > 0 || disk.readonly || disk.device == .cdrom
            nodes.isFloppy = disk.device == .floppy
            nodes.set = image.source.index.flatMap { environment.images[$0] }
            let name = ImageNodes.name(image.source.index)
            chain.append(BlockNode(properties: nodes.storage, objects: objects(image.source, name)))
            if let slice = nodes.slice { chain.append(BlockNode(properties: slice)) }
            let isEnd = list.isTerminated || environment.endsBackingChains
            let below = list.images.dropFirst(depth + 1).first?.source.index
            chain.append(
                BlockNode(properties: nodes.format(below.map { .node($0) } ?? (isEnd ? .none : .unsaid))))
        }
        if disk.driver?.copyOnRead == true {
            chain.append(
                BlockNode(properties: [
                    "driver": "copy-on-read", "node-name": .string("libvirt-CoR-\(disk.target.dev ?? "")"),
                    "file": .string(ImageNodes.formatName(disk.source.index)), "discard": "unmap",
                ]))
        }
        return chain
    }

    /// What an image's nodes name: the holder of its reservations, its secrets, its certificates.
    private func objects(_ source: DiskSource, _ name: String) -> [JSONObject] {
        let ids = [
            "\(name)-storage-auth-secret0", "\(name)-storage-httpcookie-secret0", "\(name)-format-encryption-secret0",
        ]
        var objects = ids.compactMap(secretObject)
        if let reservations = source.reservations, reservations.managed != true {
            objects.insert(
                [
                    "qom-type": "pr-manager-helper", "id": .string(reservations.managerID(node: "\(name)-storage")),
                    "path": .string(reservations.source?.path ?? ""),
                ], at: 0)
        }
        if source.network.protocol == .nbd, source.network.tls == true {
            objects.append(environment.nbdTLS.credentials(id: "obj\(name)-storage_tls0", isServer: false))
        }
        return objects
    }

    /// A secret as QEMU gets it; nil where there is none of that id.
    func secretObject(_ id: String) -> JSONObject? {
        guard let secret = environment.secrets[id] else { return nil }
        return [
            "qom-type": "secret", "id": .string(id), "data": .string(secret.data), "keyid": "masterKey0",
            "iv": .string(secret.iv), "format": "base64",
        ]
    }

    /// The helper that all managed reservations of the guest share.
    mutating func addReservations() {
        let hasManaged = devices.disks.contains { disk in
            disk.chain.contains { $0.reservations?.managed == true }
        }
        guard hasManaged else { return }
        add(object: [
            "qom-type": "pr-manager-helper", "id": .string(DiskSource.Reservations.managedID),
            "path": .string("\(environment.libraryDirectory)/\(DiskSource.Reservations.managedID).sock"),
        ])
    }

    // MARK: Devices

    private mutating func addFloppyBoot() {
        guard machine.isX86 else { return }
        if !machine.hasBuiltInFloppy, devices.disks.contains(where: { $0.target.bus == .fdc }) {
            return addFloppyController()
        }
        for (disk, boot) in zip(devices.disks, bootIndexes) where disk.device == .floppy && machine.hasBuiltInFloppy {
            guard let boot, case .drive(let place) = disk.info.address else { continue }
            add("-global", "isa-fdc.bootindex\(place.unit == 0 ? "A" : "B")=\(boot)")
        }
    }

    private mutating func addFloppyController() {
        var properties: JSONObject = ["driver": "isa-fdc"]
        for (disk, boot) in zip(devices.disks, bootIndexes) where disk.device == .floppy {
            guard case .drive(let place) = disk.info.address else { continue }
            properties.add(place.unit == 0 ? "bootindexA" : "bootindexB", boot)
        }
        add(device: properties)
    }

    private mutating func addVhostUserChannel(_ disk: Disk, _ user: VhostUserSource) {
        let alias = disk.info.alias ?? ""
        var text = "socket,id=chr-vu-\(alias),path=\(KeyValueText.escape(user.path ?? ""))"
        if let reconnect = disk.source.network.reconnect, reconnect.enabled == true, let timeout = reconnect.timeout {
            text += ",reconnect=\(timeout)"
        }
        add("-chardev", text)
    }

    private mutating func addDrive(_ disk: Disk) {
        let path = KeyValueText.escape(disk.source.path ?? "")
        let format = disk.driver?.type ?? "raw"
        add("-drive", "file=\(path),format=\(format),if=sd,index=0")
    }
}

extension DiskSource.Reservations {
    static let managedID = "pr-helper0"

    func managerID(node: String) -> String { managed == true ? Self.managedID : "pr-helper-\(node)" }
}

extension Disk {
    /// The image with the credentials that older documents give the disk.
    var effectiveSource: DiskSource {
        var source = self.source
        source.auth = source.auth ?? auth
        source.encryption = source.encryption ?? encryption
        return source
    }

    /// The driver with the cache mode that sharing a disk calls for.
    package var effectiveDriver: DiskDriver? {
        guard shareable, !readonly, driver?.cache == nil else { return driver }
        var driver = self.driver ?? DiskDriver()
        driver.cache = DiskDriver.Cache.none
        return driver
    }
}
