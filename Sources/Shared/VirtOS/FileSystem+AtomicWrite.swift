import CLinux
import Glibc
import Synchronization
package import VirtCore

extension FileSystem {
    /// Who a file belongs to.
    package struct Owner: Equatable, Sendable {
        package var uid: UInt32
        package var gid: UInt32

        package init(uid: UInt32, gid: UInt32) {
            self.uid = uid
            self.gid = gid
        }
    }

    private static let serial = Atomic<UInt64>(0)

    /// Replaces a file's content in one step that survives a crash: a temporary file of the same directory, its data
    /// on the disk, rename, fsync of the directory. On any failure the old file is as it was and the temporary one is
    /// gone.
    ///
    /// The new file has exactly `mode` (whatever the umask), from before its first byte.
    package static func atomicWrite(
        _ path: String, _ bytes: [UInt8], mode: UInt32 = 0o600, owner: Owner? = nil
    ) throws(VirtError) {
        let directory = directory(of: path)
        let number = serial.wrappingAdd(1, ordering: .relaxed).oldValue
        // Its length does not depend on the target's name, which may be the longest that there is.
        let temporary = "\(directory)/.virtswarm-\(getpid())-\(number).new"
        do throws(VirtError) {
            try writeNew(temporary, bytes, mode, owner)
            guard unsafe rename(temporary, path) == 0 else {
                throw .system(errno, .none, "Failed to rename file '\(temporary)' to '\(path)'")
            }
        } catch {
            unsafe unlink(temporary)
            throw error
        }
        try syncDirectory(directory)
    }

    private static func writeNew(
        _ path: String, _ bytes: [UInt8], _ mode: UInt32, _ owner: Owner?
    ) throws(VirtError) {
        unsafe unlink(path)  // what a crashed process of the same id left
        let file = try OwnedDescriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL, mode: mode & 0o700)
        if let owner, fchown(file.rawValue, owner.uid, owner.gid) < 0 {
            throw .system(errno, .none, "cannot chown '\(path)' to (\(owner.uid), \(owner.gid))")
        }
        guard fchmod(file.rawValue, mode) == 0 else { throw .system(errno, .none, "cannot set mode of '\(path)'") }
        try write(file.rawValue, bytes, name: path)
        try bringToDisk(file.rawValue, path)
        guard close(file.take()) == 0 else { throw .system(errno, .none, "Unable to close file '\(path)'") }
    }

    /// The data has to be on the disk before the new name is. An fsync of each would write the journal twice; where the
    /// file system keeps the order of data and later renames, only the data is written here, and the directory's fsync
    /// does the rest.
    private static func bringToDisk(_ file: Int32, _ path: String) throws(VirtError) {
        let ordered = clinux_order_data(file)
        if ordered > 0 { return }
        // A file system that cannot do it is told apart from a disk that is full or broken.
        let isBroken = [-ENOSPC, -EDQUOT, -EIO].contains(ordered)
        guard !isBroken, fsync(file) == 0 else {
            throw .system(isBroken ? -ordered : errno, .none, "cannot sync data to file '\(path)'")
        }
    }
}
