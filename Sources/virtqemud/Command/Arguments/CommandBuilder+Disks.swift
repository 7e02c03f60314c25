import QEMUMonitor
import VirtCore
import VirtModel

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
                for node in blockNodes(of: disk) {
                    for object in node.objects { add(object: object) }
                    add(blockdev: node.properties)
                }
            }
            addZPCI(disk.info)
            add(device: try diskDevice(disk, bootIndex: boot[index]))
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
        var backing = disk.backingStore
        var next: BackingStore? = backing
        var nodes: [(source: DiskSource, format: String, metadata: UInt64?)] = [
            (disk.effectiveSource, disk.driver?.type ?? "raw", disk.driver?.metadataCache?.maximumSize)
        ]
        while let store = next, let source = store.source {
            nodes.append((source, store.format?.type ?? "raw", store.format?.metadataCache?.maximumSize))
            backing = store.backingStore
            next = backing
        }
        let isTerminated = disk.backingStore != nil && next != nil && next?.source == nil
        for (depth, node) in nodes.enumerated().reversed() {
            let index = node.source.index ?? 0
            let name = "libvirt-\(index)"
            let storage = BlockStorage(
                node.source, node: "\(name)-storage", driver: disk.effectiveDriver, isFloppy: disk.device == .floppy,
                builder: self)
            chain.append(BlockNode(properties: storage.properties, objects: objects(node.source, name)))
            if var slice = slice(node.source, name, node.format) {
                slice.add("cache", BlockStorage.cache(disk.effectiveDriver?.cache))
                chain.append(BlockNode(properties: slice))
            }
            let below = depth + 1 < nodes.count ? nodes[depth + 1].source.index : nil
            let isEnd = depth + 1 == nodes.count && (isTerminated || environment.endsBackingChains)
            let format = formatNode(
                disk, node.source, name, node.format, node.metadata, depth: depth, below: below, isEnd: isEnd)
            chain.append(BlockNode(properties: format))
        }
        if disk.driver?.copyOnRead == true {
            chain.append(
                BlockNode(properties: [
                    "driver": "copy-on-read", "node-name": .string("libvirt-CoR-\(disk.target.dev ?? "")"),
                    "file": .string("libvirt-\(disk.source.index ?? 0)-format"), "discard": "unmap",
                ]))
        }
        return chain
    }

    private func formatNode(
        _ disk: Disk, _ source: DiskSource, _ name: String, _ format: String, _ metadata: UInt64?, depth: Int,
        below: UInt32?, isEnd: Bool
    ) -> JSONObject {
        var properties: JSONObject = ["node-name": .string("\(name)-format")]
        properties.add("read-only", depth > 0 || disk.readonly || disk.device == .cdrom)
        if depth == 0 {
            properties.add("discard", disk.driver?.discard?.rawValue)
            properties.add("detect-zeroes", detectZeroes(disk.driver))
        }
        properties.add("cache", BlockStorage.cache(disk.effectiveDriver?.cache))
        addFormat(format, source, name, &properties)
        properties.add("cache-size", metadata)
        if source.slices.first != nil, !isRaw(source, format) {
            properties.add("file", "\(name)-slice-sto")
        } else {
            properties.add("offset", source.slices.first?.offset)
            properties.add("size", source.slices.first?.size)
            properties.add("file", "\(name)-storage")
        }
        if let below {
            properties.add("backing", "libvirt-\(below)-format")
        } else if isEnd, Self.hasBacking(format) {
            properties.add("backing", JSONValue.null)
        }
        return properties
    }

    private func isRaw(_ source: DiskSource, _ format: String) -> Bool {
        format == "raw" && (source.encryption == nil || source.encryption?.engine == .librbd)
    }

    /// The part of a file that holds an image of another format than raw is a node of its own.
    private func slice(_ source: DiskSource, _ name: String, _ format: String) -> JSONObject? {
        guard let slice = source.slices.first, !isRaw(source, format) else { return nil }
        return [
            "driver": "raw", "node-name": .string("\(name)-slice-sto"), "offset": .integer(slice.offset),
            "size": .integer(slice.size), "file": .string("\(name)-storage"), "auto-read-only": true,
            "discard": "unmap",
        ]
    }

    private static func hasBacking(_ format: String) -> Bool {
        ["qcow2", "qcow", "qed", "vmdk", "cow"].contains(format)
    }

    private func detectZeroes(_ driver: DiskDriver?) -> String? {
        guard let mode = driver?.detectZeroes else { return nil }
        // Without discard, "unmap" would have nothing to do.
        return mode == .unmap && driver?.discard != .unmap ? "on" : mode.rawValue
    }

    private func addFormat(_ format: String, _ source: DiskSource, _ name: String, _ properties: inout JSONObject) {
        let encryption = source.encryption.flatMap { $0.engine == .librbd ? nil : $0 }
        let secret = "\(name)-format-encryption-secret0"
        switch (format, encryption) {
        case ("raw", .some):
            properties.add("driver", "luks")
            properties.add("key-secret", secret)
        case ("qcow2", .some(let encryption)), ("qcow", .some(let encryption)):
            properties.add("driver", format)
            let kind = encryption.format == .qcow ? "aes" : encryption.format.rawValue
            properties.add("encrypt", ["format": .string(kind), "key-secret": .string(secret)] as JSONObject)
        case ("luks", _):
            properties.add("driver", "luks")
            properties.add("key-secret", secret)
        default:
            properties.add("driver", format == "fat" ? "raw" : format)
        }
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
    var effectiveDriver: DiskDriver? {
        guard shareable, !readonly, driver?.cache == nil else { return driver }
        var driver = self.driver ?? DiskDriver()
        driver.cache = DiskDriver.Cache.none
        return driver
    }
}
