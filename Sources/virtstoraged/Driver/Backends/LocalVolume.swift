import CLinux
import Glibc
import VirtCore
import VirtModel
import VirtOS

/// Volumes that are files of this host. All of it blocks: call it through a `BlockingPool`.
enum LocalVolume {
    /// The volume behind a path as its header shows it; nil for what is no volume: dangling links, sockets, pipes,
    /// devices without blocks, and what may not be opened.
    static func examine(_ path: String, name: String) throws(VirtError) -> StorageVolume? {
        var volume = StorageVolume()
        volume.name = name
        volume.key = path
        volume.target.path = path
        guard let found = try open(path) else { return nil }
        let header = try self.header(found)
        describe(&volume, found.status, found.deviceSize, header.map { ImageProbe.metadata($0) })
        return volume
    }

    /// Sizes, times and owners as they are now; nil: the file is gone.
    static func update(_ volume: StorageVolume) throws(VirtError) -> StorageVolume? {
        guard let found = try open(volume.target.path) else { return nil }
        var volume = volume
        let header = try self.header(found)
        let metadata = header.map { ImageProbe.metadata($0, as: volume.target.format) }
        setSizes(&volume, found, metadata)
        if let backing = volume.backing { volume.backing = updated(backing) }
        return volume
    }

    // MARK: Reading

    struct Found: ~Copyable {
        let path: String
        let file: OwnedDescriptor
        let status: FileStatus
        /// A block device's size.
        let deviceSize: UInt64
    }

    private static func open(_ path: String) throws(VirtError) -> Found? {
        // Opening a pipe or a device may have effects: the look comes first.
        guard let status = FileStatus(path: path), status.kind != .other else { return nil }
        let raw = unsafe path.withCString { unsafe clinux_open($0, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0) }
        guard raw >= 0 else {
            if [ENOENT, ELOOP, EACCES, EPERM, ENXIO].contains(-raw) { return nil }
            throw .system(-raw, .storage, "cannot open volume '\(path)'")
        }
        let file = OwnedDescriptor(raw)
        let actual = try FileStatus(descriptor: raw, path: path)
        guard actual.kind != .other else { return nil }
        var deviceSize: UInt64 = 0
        if actual.kind == .block { _ = unsafe clinux_block_device_size(raw, &deviceSize) }
        return Found(path: path, file: file, status: actual, deviceSize: deviceSize)
    }

    /// The first bytes; nil for directories.
    private static func header(_ found: borrowing Found) throws(VirtError) -> [UInt8]? {
        if found.status.kind == .directory { return nil }
        return try FileSystem.start(of: found.file.rawValue, ImageProbe.headerSize, name: found.path)
    }

    // MARK: Describing

    private static func describe(
        _ volume: inout StorageVolume, _ status: FileStatus, _ deviceSize: UInt64, _ metadata: ImageMetadata?
    ) {
        guard let metadata else {
            volume.kind = .dir
            volume.target.format = .dir
            volume.capacity = 0
            volume.allocation = 0
            set(&volume.target, status)
            return
        }
        volume.kind = status.kind == .block ? .block : metadata.format == .ploop ? .ploop : .file
        volume.target.format = metadata.format
        volume.target.features = metadata.features
        volume.target.compat = metadata.features == nil ? nil : "1.1"
        volume.target.clusterSize = metadata.clusterSize
        if let format = metadata.encryption {
            volume.target.encryption = StorageVolumeEncryption(format, payloadOffset: metadata.payloadOffset)
        }
        setSizes(&volume, status, deviceSize: deviceSize, metadata)
        if let path = metadata.backingPath, !path.isEmpty {
            volume.backing = backing(path, metadata.backingFormat, of: volume.target.path)
        }
    }

    private static func setSizes(_ volume: inout StorageVolume, _ found: borrowing Found, _ metadata: ImageMetadata?) {
        setSizes(&volume, found.status, deviceSize: found.deviceSize, metadata)
    }

    private static func setSizes(
        _ volume: inout StorageVolume, _ status: FileStatus, deviceSize: UInt64, _ metadata: ImageMetadata?
    ) {
        set(&volume.target, status)
        switch status.kind {
        case .directory, .other:
            volume.capacity = 0
            volume.allocation = 0
            volume.physical = 0
            return
        case .block:
            volume.allocation = deviceSize
            volume.physical = deviceSize
        case .file:
            volume.allocation = status.allocated
            volume.physical = status.size
        }
        volume.capacity = metadata?.capacity ?? volume.physical
        guard volume.target.format == .raw, let offset = metadata?.payloadOffset, offset <= volume.physical else {
            return
        }
        volume.target.encryption?.payloadOffset = offset
        volume.capacity = volume.physical - offset
    }

    private static func set(_ target: inout StorageVolume.Target, _ status: FileStatus) {
        target.permissions = status.permissions
        target.timestamps = status.timestamps
    }

    // MARK: Backing images

    /// The image that a header names: relative to the image's own directory, or on the network.
    static func backing(
        _ name: String, _ format: StorageFileFormat?, of path: String
    ) -> StorageVolume.Target {
        var target = StorageVolume.Target()
        guard let local = ImageProbe.localPath(name, of: path) else {
            target.path = name
            target.format = name.hasPrefix("json:") ? .raw : format ?? .raw
            return target
        }
        target.path = local
        if let format {
            target.format = format
        } else if let status = FileStatus(path: local), status.kind == .file || status.kind == .block,
            let header = try? FileSystem.start(of: local, ImageProbe.headerSize)
        {
            target.format = ImageProbe.format(header)
        }
        return updated(target)
    }

    private static func updated(_ backing: StorageVolume.Target) -> StorageVolume.Target {
        var backing = backing
        guard ImageProbe.isLocal(backing.path), let status = FileStatus(path: backing.path), status.kind != .other
        else {
            return backing
        }
        set(&backing, status)
        return backing
    }
}
