import CLinux
import Glibc
import VirtCore
import VirtModel
import VirtOS

/// Pools whose volumes are the files of a directory, with or without a file system mounted there.
struct DirectoryBackend: StorageBackend {
    let environment: BackendEnvironment
    let mount: StorageMount?

    init(_ environment: BackendEnvironment, mount: StorageMount?) {
        self.environment = environment
        self.mount = mount
    }

    // MARK: Pools

    func build(_ pool: StoragePool, flags: UInt32) async throws {
        let overwriting = StorageFlag.buildOverwrite | StorageFlag.buildNoOverwrite
        try StorageFlag.check(flags, allowed: overwriting, "virStorageBackendFileSystemBuild")
        if flags & overwriting == overwriting {
            throw VirtError(
                code: .invalidArg, domain: .storage,
                verbatim:
                    "Flags 'VIR_STORAGE_POOL_BUILD_OVERWRITE' and 'VIR_STORAGE_POOL_BUILD_NO_OVERWRITE' are mutually"
                    + " exclusive"
            )
        }
        try await BlockingPool.shared.run { try Self.makeDirectory(pool) }
        if flags != 0 { try await makeFileSystem(pool, overwrites: flags & StorageFlag.buildOverwrite != 0) }
    }

    private static func makeDirectory(_ pool: StoragePool) throws(VirtError) {
        let path = pool.targetPath
        guard path.hasPrefix("/") else { throw VirtError(.invalidArg, .storage, "path '\(path)' is not absolute") }
        let parent = FileSystem.directory(of: path)
        do {
            try FileSystem.makeDirectories(parent, mode: 0o755)
        } catch {
            throw .system(error.int1, .storage, "cannot create path '\(parent)'")
        }
        let isNew = unsafe mkdir(path, 0o700) == 0
        guard isNew || errno == EEXIST && FileSystem.isDirectory(path) else {
            throw .system(errno, .none, "failed to create directory '\(path)'")
        }
        let wanted = pool.permissions
        if wanted.owner != nil || wanted.group != nil {
            guard unsafe chown(path, wanted.owner ?? .max, wanted.group ?? .max) == 0 else {
                let (owner, group) = (wanted.owner ?? .max, wanted.group ?? .max)
                throw .system(errno, .none, "cannot chown '\(path)' to (\(owner), \(group))")
            }
        }
        guard let mode = wanted.mode ?? (isNew ? 0o711 : nil) else { return }
        guard unsafe chmod(path, mode) == 0 else { throw .system(errno, .none, "cannot set mode of '\(path)'") }
    }

    func isUp(_ pool: StoragePool) async throws -> Bool {
        try await BlockingPool.shared.run {
            guard FileSystem.isDirectory(pool.targetPath) else { return false }
            guard let mount else { return true }
            return try mount.isMounted(pool)
        }
    }

    func start(_ pool: StoragePool) async throws {
        guard let mount else { return }
        if try await isUp(pool) { return }
        try await environment.tools.run("mount", try mount.arguments(pool))
    }

    func stop(_ pool: StoragePool) async throws {
        guard mount != nil, try await isUp(pool) else { return }
        try await environment.tools.run("umount", [pool.targetPath])
    }

    func refresh(_ pool: StoragePool) async throws -> PoolContents {
        try await BlockingPool.shared.run { try Self.scan(pool) }
    }

    func delete(_ pool: StoragePool, flags: UInt32) async throws {
        try StorageFlag.check(flags, allowed: 0, "virStorageBackendDeleteLocal")
        try await BlockingPool.shared.run {
            guard unsafe rmdir(pool.targetPath) == 0 else {
                throw VirtError.system(errno, .storage, "failed to remove pool '\(pool.targetPath)'")
            }
        }
    }

    // MARK: Looking around

    private static func scan(_ pool: StoragePool) throws(VirtError) -> PoolContents {
        let path = pool.targetPath
        guard let directory = OpenDirectory(path) else {
            throw .system(errno, .none, "cannot open directory '\(path)'")
        }
        var contents = PoolContents()
        for name in try directory.names() {
            guard !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { continue }
            guard var volume = try LocalVolume.examine("\(path)/\(name)", name: name) else { continue }
            if pool.refreshAllocation == .capacity { volume.allocation = volume.capacity }
            contents.volumes.append(volume)
        }
        let status = try FileStatus(descriptor: directory.descriptor, path: path)
        contents.permissions = status.permissions
        var space = statvfs()
        guard unsafe fstatvfs(directory.descriptor, &space) == 0 else {
            throw .system(errno, .storage, "cannot statvfs path '\(path)'")
        }
        contents.capacity = UInt64(space.f_frsize).multipliedReportingOverflow(by: UInt64(space.f_blocks)).partialValue
        contents.available = UInt64(space.f_bfree).multipliedReportingOverflow(by: UInt64(space.f_frsize)).partialValue
        contents.allocation = contents.capacity >= contents.available ? contents.capacity - contents.available : 0
        return contents
    }

    func findSources(_ specification: String?) async throws -> String {
        guard mount == .network else { throw StorageSources.unsupported(mount == nil ? .dir : .fs) }
        guard let host = try StorageSources.host(specification, .netfs) else {
            throw VirtError(.invalidArg, .storage, "hostname must be specified for netfs sources")
        }
        return try await StorageMount.exports(of: host, environment.tools)
    }
}

/// An open directory.
@safe private struct OpenDirectory: ~Copyable {
    private let stream: OpaquePointer
    let descriptor: Int32

    /// nil: errno says why.
    init?(_ path: String) {
        guard let stream = unsafe opendir(path) else { return nil }
        unsafe self.stream = unsafe stream
        descriptor = unsafe dirfd(stream)
    }

    deinit { unsafe closedir(stream) }

    /// All names but those of the directory itself and its parent, in order.
    func names() throws(VirtError) -> [String] {
        var names: [String] = []
        errno = 0
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw .system(errno, .none, "Unable to read directory") }
        return names.sorted()
    }
}
