import CLinux
import Glibc
import VirtCore
import VirtModel
import VirtOS

extension LocalVolume {
    /// Makes a raw file of the volume's capacity with as much space as it is to have, filled from `source` if given.
    /// On failure the file is gone.
    static func createRaw(_ volume: StorageVolume, from source: String? = nil, reflinks: Bool = false) throws {
        let path = volume.target.path
        let raw = unsafe path.withCString { unsafe clinux_open($0, O_RDWR | O_CREAT | O_EXCL, 0o600) }
        guard raw >= 0 else { throw VirtError.system(-raw, .storage, "Failed to create file '\(path)'") }
        let file = OwnedDescriptor(raw)
        do {
            try fill(file, volume, source, reflinks)
            guard fsync(raw) == 0 else { throw VirtError.system(errno, .storage, "cannot sync data to file '\(path)'") }
            try applyPermissions(volume.target)
        } catch {
            unsafe unlink(path)
            throw error
        }
    }

    private static func fill(
        _ file: borrowing OwnedDescriptor, _ volume: StorageVolume, _ source: String?, _ reflinks: Bool
    ) throws(VirtError) {
        let path = volume.target.path
        let capacity = off_t(clamping: volume.capacity ?? 0)
        guard ftruncate(file.rawValue, capacity) == 0 else {
            throw .system(errno, .storage, "cannot extend file '\(path)'")
        }
        if let source, reflinks {
            let input = try openSource(source)
            let result = clinux_clone_file(file.rawValue, input.rawValue)
            guard result >= 0 else { throw .system(-result, .storage, "failed to clone files from '\(source)'") }
            return
        }
        let allocation = volume.allocation ?? volume.capacity ?? 0
        if allocation > 0 { try allocate(file.rawValue, path, allocation) }
        guard let source else { return }
        let input = try openSource(source)
        try SparseCopy.copy(from: input.rawValue, source, to: file.rawValue, path)
        // A copy may end before the new capacity does.
        guard ftruncate(file.rawValue, max(capacity, currentSize(file.rawValue))) == 0 else {
            throw .system(errno, .storage, "cannot extend file '\(path)'")
        }
    }

    private static func openSource(_ path: String) throws(VirtError) -> OwnedDescriptor {
        let raw = unsafe path.withCString { unsafe clinux_open($0, O_RDONLY, 0) }
        guard raw >= 0 else { throw .system(-raw, .storage, "could not open input path '\(path)'") }
        return OwnedDescriptor(raw)
    }

    private static func currentSize(_ file: Int32) -> off_t {
        var status = stat()
        return unsafe fstat(file, &status) == 0 ? status.st_size : 0
    }

    /// Gives the file real space for its first bytes. File systems that cannot do it leave it sparse.
    static func allocate(_ file: Int32, _ path: String, _ length: UInt64) throws(VirtError) {
        let result = clinux_allocate(file, 0, 0, Int64(clamping: length))
        if result >= 0 || result == -EOPNOTSUPP || result == -ENOSYS { return }
        throw .system(-result, .storage, "cannot allocate \(length) bytes in file '\(path)'")
    }

    /// Makes a directory volume. On failure it is gone.
    static func createDirectory(_ volume: StorageVolume) throws {
        let path = volume.target.path
        guard unsafe mkdir(path, volume.target.permissions?.mode ?? 0o600) == 0 else {
            throw VirtError.system(errno, .storage, "failed to create directory '\(path)'")
        }
        do {
            try applyPermissions(volume.target)
        } catch {
            unsafe rmdir(path)
            throw error
        }
    }

    /// Owner and mode that a definition asks for; new volumes are the daemon's own, with mode 0600.
    static func applyPermissions(_ target: StorageVolume.Target) throws(VirtError) {
        let wanted = target.permissions ?? StoragePermissions()
        let path = target.path
        if wanted.owner != nil || wanted.group != nil {
            guard unsafe chown(path, wanted.owner ?? .max, wanted.group ?? .max) == 0 else {
                let (owner, group) = (wanted.owner ?? .max, wanted.group ?? .max)
                throw .system(errno, .storage, "cannot chown '\(path)' to (\(owner), \(group))")
            }
        }
        let mode = wanted.mode ?? 0o600
        guard unsafe chmod(path, mode) == 0 else {
            let digits = String(mode, radix: 8)
            let padded = String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
            throw .system(errno, .storage, "cannot set mode of '\(path)' to \(padded)")
        }
    }

    /// Removes a volume; one that is gone already is no error.
    static func delete(_ volume: StorageVolume) throws(VirtError) {
        let path = volume.target.path
        switch volume.kind {
        case .file, .ploop:
            guard unsafe unlink(path) == 0 || errno == ENOENT else {
                throw .system(errno, .storage, "cannot unlink file '\(path)'")
            }
        case .dir:
            guard unsafe rmdir(path) == 0 || errno == ENOENT else {
                throw .system(errno, .storage, "cannot remove directory '\(path)'")
            }
        case .block, .network, .netdir:
            throw VirtError(
                .noSupport, .storage, "removing block or network volumes is not supported: \(path)")
        }
    }

    /// Changes the size of a raw file, with space for all of it if asked.
    static func resize(_ path: String, to capacity: UInt64, allocates: Bool) throws(VirtError) {
        let raw = unsafe path.withCString { unsafe clinux_open($0, O_RDWR, 0) }
        guard raw >= 0 else { throw .system(-raw, .none, "Unable to open '\(path)'") }
        let file = OwnedDescriptor(raw)
        guard let size = off_t(exactly: capacity) else {
            throw .system(EFBIG, .none, "Failed to truncate file '\(path)'")
        }
        if allocates {
            let result = clinux_allocate(file.rawValue, 0, 0, Int64(size))
            if result < 0, result != -EOPNOTSUPP, result != -ENOSYS {
                throw .system(-result, .none, "Failed to pre-allocate space for file '\(path)'")
            }
        }
        guard ftruncate(file.rawValue, size) == 0 else {
            throw .system(errno, .none, "Failed to truncate file '\(path)'")
        }
        guard fsync(file.rawValue) == 0 else { throw .system(errno, .none, "Unable to save '\(path)'") }
    }
}
