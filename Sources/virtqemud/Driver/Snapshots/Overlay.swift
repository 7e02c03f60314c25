import QEMUMonitor
import VirtCore
import VirtModel

/// A new image over a disk's present one, while it is made.
struct Overlay: Sendable {
    /// The disk as it is.
    private let old: Disk
    let own: Snapshot.Disk
    /// The new image, with its number in the guest.
    let top: Image

    /// The persistent definition's disk has the same image and follows.
    var changesConfig = false
    /// The file was not there before.
    var isNewFile = false
    /// What became QEMU's.
    var files: [GuestRuntime.OwnedFile] = []
    /// What QEMU has been given so far.
    var nodes: [String] = []
    /// What happens to the disk in the transaction.
    var actions: [JSONValue] = []

    struct Image: Sendable {
        var source: DiskSource
        var format: String
        var metadataCache: DiskDriver.MetadataCache?
    }

    init(_ old: Disk, _ own: Snapshot.Disk, number: UInt32?) {
        self.old = old
        self.own = own
        var source = own.source
        source.index = number
        top = Image(source: source, format: own.format ?? "qcow2", metadataCache: own.metadataCache)
    }

    var oldNode: String { "libvirt-\(old.source.index ?? 0)-format" }
    var newNode: String { "libvirt-\(top.source.index ?? 0)-format" }

    /// The disk with the new image alone.
    var topOnly: Disk {
        var disk = old
        disk.driver = disk.driver ?? DiskDriver()
        disk.driver?.type = top.format
        disk.driver?.metadataCache = top.metadataCache
        disk.source = top.source
        disk.backingStore = BackingStore()
        disk.readonly = false
        return disk
    }

    /// Whether a disk of the persistent definition is the same one with the same image.
    func replaces(_ disk: Disk) -> Bool {
        disk.target.dev == old.target.dev && disk.source.type == old.source.type && disk.source.path != nil
            && disk.source.path == old.source.path
    }

    /// `blockdev-create`'s options: the size comes from the image below.
    func creation(_ below: JSONValue) throws(VirtError) -> JSONObject {
        guard let path = old.source.localPath else {
            throw VirtError(
                .operationUnsupported, .qemu,
                "creating an image over one of type '\(old.source.type.rawValue)' is not supported")
        }
        let image = below["image"]
        guard let size: UInt64 = image?["virtual-size"]?.integer() else {
            throw VirtError(.internalError, .qemu, "failed to determine the size of disk '\(own.name)'")
        }
        var options: JSONObject = [
            "driver": .string(top.format), "file": .string("libvirt-\(top.source.index ?? 0)-storage"),
            "size": .integer(size),
        ]
        if top.format == "qcow2", let cluster: UInt64 = image?["cluster-size"]?.integer() {
            options["cluster-size"] = .integer(cluster)
        }
        if top.format == "qcow2", image?["format-specific"]?["data"]?["extended-l2"]?.bool == true {
            options["extended-l2"] = true
        }
        options["backing-file"] = .string(path)
        options["backing-fmt"] = .string(old.driver?.type ?? "raw")
        return options
    }

    /// Bitmaps that record changes go on doing so in the new image; then the images are put over each other.
    func actions(bitmaps below: JSONValue) -> [JSONValue] {
        let bitmaps = (below["dirty-bitmaps"]?.array ?? []).compactMap { bitmap -> JSONValue? in
            guard bitmap["persistent"]?.bool == true, bitmap["recording"]?.bool == true,
                bitmap["inconsistent"]?.bool != true, let name = bitmap["name"]
            else { return nil }
            var data: JSONObject = [
                "node": .string(newNode), "name": name, "persistent": true, "disabled": false,
            ]
            data["granularity"] = bitmap["granularity"]
            return ["type": "block-dirty-bitmap-add", "data": .object(data)]
        }
        let snapshot: JSONValue = [
            "type": "blockdev-snapshot", "data": ["node": .string(oldNode), "overlay": .string(newNode)],
        ]
        return bitmaps + [snapshot]
    }
}

extension Disk {
    /// Puts an image over the present one, which stays as it is from now on.
    mutating func push(_ top: Overlay.Image) {
        var below = BackingStore()
        below.source = source
        var format = DiskFormat()
        format.type = driver?.type ?? "raw"
        format.metadataCache = driver?.metadataCache
        below.format = format
        below.backingStore = backingStore
        backingStore = below
        source = top.source
        driver = driver ?? DiskDriver()
        driver?.type = top.format
        driver?.metadataCache = top.metadataCache
    }
}
