import Glibc
import QEMUCommand
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// Disk images: volumes become paths, chains are followed, and missing images are noticed before there is a process.
extension DomainActor {
    func prepareDisks(_ plan: inout StartPlan) async throws {
        for index in plan.domain.devices.disks.indices {
            try await resolveVolume(&plan.domain.devices.disks[index])
        }
        let configuration = driver.configuration
        let disks = plan.domain.devices.disks
        plan.domain.devices.disks = try await BlockingPool.shared.run {
            try disks.map { disk in
                var disk = disk
                try disk.followChain(configuration)
                return disk
            }
        }
        runtime?.nodeIndex = plan.domain.assignNodeIndexes()
        live = plan.domain
    }

    /// `<source pool= volume=>` becomes the volume's path.
    func resolveVolume(_ disk: inout Disk) async throws {
        try await GuestResources(driver: driver, loop: loop, key: .random()).findVolume(&disk)
    }
}

extension Disk {
    /// Checks that the images are there and fills in those below the top one, as far as the definition leaves them open.
    /// Blocks.
    mutating func followChain(_ configuration: DriverConfiguration) throws(VirtError) {
        if source.isEmpty {
            // An empty drive has no format until something is put in.
            driver?.type = nil
            return
        }
        guard let path = source.hostPath else { return }
        guard try checkAccess(path, configuration) else { return }
        backingStore = try Self.follow(backingStore, below: path, driver?.type, depth: 0)
    }

    /// A chain as far as the definition says it, then as far as the images do.
    private static func follow(
        _ store: BackingStore?, below path: String?, _ format: String?, depth: Int
    ) throws(VirtError) -> BackingStore {
        guard var store else {
            guard let path, let format = format.flatMap(StorageFileFormat.init(rawValue:)) else {
                return BackingStore()
            }
            return try below(path, format, depth: depth)
        }
        guard let source = store.source else { return store }
        if let path, let next = source.hostPath {
            var status = stat()
            guard unsafe stat(next, &status) == 0 else {
                throw .system(errno, .storage, "Cannot access backing file '\(next)' of storage file '\(path)'")
            }
        }
        store.backingStore = try follow(
            store.backingStore, below: source.hostPath, store.format?.type, depth: depth + 1)
        return store
    }

    /// False: the image is missing and its policy says that the drive is then empty.
    private mutating func checkAccess(_ path: String, _ configuration: DriverConfiguration) throws(VirtError) -> Bool {
        var status = stat()
        if unsafe stat(path, &status) == 0 { return true }
        let code = errno
        if source.startupPolicy == .optional {
            source.file = nil
            source.dev = nil
            return false
        }
        let user =
            configuration.dynamicOwnership || configuration.uid != 0
            ? " (as uid:\(configuration.uid), gid:\(configuration.gid))" : ""
        throw .system(code, .storage, "Cannot access storage file '\(path)'\(user)")
    }

    /// The images below an image of that format; an empty store ends the chain.
    private static func below(
        _ path: String, _ format: StorageFileFormat, depth: Int
    ) throws(VirtError) -> BackingStore {
        var store = BackingStore()
        guard format.canHaveBackingImage else { return store }
        let header = ImageProbe.metadata(try FileSystem.start(of: path, ImageProbe.headerSize), as: format)
        guard let name = header.backingPath else { return store }
        guard depth < 200 else {
            throw VirtError(.internalError, .storage, "backing store for '\(path)' is self-referential or too deep")
        }
        guard let next = ImageProbe.localPath(name, of: path) else {
            throw VirtError(.operationUnsupported, .storage, "backing image '\(name)' of '\(path)' is no local file")
        }
        guard let format = header.backingFormat else {
            throw VirtError(
                .operationInvalid, .storage,
                "format of backing image '\(next)' of image '\(path)' was not specified in the image metadata"
                    + " (See https://libvirt.org/kbase/backing_chains.html for troubleshooting)")
        }
        var status = stat()
        guard unsafe stat(next, &status) == 0 else {
            throw .system(errno, .storage, "Cannot access backing file '\(next)' of storage file '\(path)'")
        }
        var source = DiskSource()
        source.type = status.st_mode & S_IFMT == S_IFBLK ? .block : .file
        if source.type == .block { source.dev = next } else { source.file = next }
        store.source = source
        store.isDetected = true
        var kind = DiskFormat()
        kind.type = format.rawValue
        store.format = kind
        store.backingStore = try below(next, format, depth: depth + 1)
        return store
    }
}

extension DiskSource {
    /// The path on this host, a volume's as well once it is known.
    var hostPath: String? { type == .volume ? file : localPath }
}
