import CLinux
import Glibc
import VirtCore
import VirtModel
import VirtOS

extension LocalVolume {
    /// Overwrites a volume with zeros. A file with holes loses its space instead, as there is nothing to overwrite in
    /// most of it.
    static func wipe(_ path: String) throws(VirtError) {
        let raw = unsafe path.withCString { unsafe clinux_open($0, O_RDWR, 0) }
        guard raw >= 0 else { throw .system(-raw, .storage, "Failed to open storage volume with path '\(path)'") }
        let file = OwnedDescriptor(raw)
        let status = try FileStatus(descriptor: raw, path: path)
        if status.kind == .file, status.allocated < status.size {
            return try truncate(file.rawValue, path, status.size)
        }
        var size = status.size
        if status.kind == .block { _ = unsafe clinux_block_device_size(raw, &size) }
        try overwrite(file.rawValue, path, size)
    }

    private static func truncate(_ file: Int32, _ path: String, _ size: UInt64) throws(VirtError) {
        for length in [0, size] {
            guard ftruncate(file, off_t(clamping: length)) == 0 else {
                throw .system(
                    errno, .storage, "Failed to truncate volume with path '\(path)' to \(length) bytes")
            }
        }
    }

    private static func overwrite(_ file: Int32, _ path: String, _ size: UInt64) throws(VirtError) {
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        var done: UInt64 = 0
        while done < size {
            let length = Int(min(size - done, UInt64(zeros.count)))
            let count = unsafe pwrite(file, zeros, length, off_t(clamping: done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw .system(errno, .storage, "Failed to write \(length) bytes to storage volume with path '\(path)'")
            }
            done += UInt64(count)
        }
        guard fdatasync(file) == 0 else {
            throw .system(errno, .storage, "cannot sync data to volume with path '\(path)'")
        }
    }
}
