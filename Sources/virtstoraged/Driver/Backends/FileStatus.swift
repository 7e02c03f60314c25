import Glibc
import VirtCore
import VirtModel

/// What the file system says of a file.
struct FileStatus: Sendable {
    enum Kind: Sendable { case file, directory, block, other }

    let kind: Kind
    let size: UInt64
    /// Bytes that it takes on disk.
    let allocated: UInt64
    let permissions: StoragePermissions
    let timestamps: StorageTimestamps

    init(_ status: stat) {
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFBLK: .block
            default: .other
            }
        size = UInt64(clamping: status.st_size)
        allocated = UInt64(clamping: status.st_blocks).multipliedReportingOverflow(by: 512).partialValue
        permissions = StoragePermissions(
            mode: status.st_mode & 0o777, owner: status.st_uid, group: status.st_gid)
        timestamps = StorageTimestamps(
            access: .init(status.st_atim), modification: .init(status.st_mtim), change: .init(status.st_ctim))
    }

    /// Of the path, through links; nil: there is nothing.
    init?(path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    init(descriptor: Int32, path: String) throws(VirtError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw .system(errno, .storage, "cannot stat file '\(path)'")
        }
        self.init(status)
    }
}

extension StorageTimestamps.Time {
    init(_ time: timespec) { self.init(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec)) }
}
