import Glibc
import VirtCore
import VirtOS

extension FileSystem {
    /// Gives a socket to another user. Whoever may write to its directory may have put something else in its place: it has
    /// to be a socket, of `owner`.
    static func giveSocket(_ path: String, of owner: uid_t, to uid: uid_t, _ gid: gid_t) throws(VirtError) {
        let failure = "unable to set user and group to '\(uid):\(gid)' on '\(path)'"
        let raw = unsafe Glibc.open(path, linuxPathOnly | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else { throw .system(errno, .security, failure) }
        defer { close(raw) }
        var status = stat()
        guard unsafe fstat(raw, &status) == 0 else { throw .system(errno, .security, failure) }
        guard status.st_mode & S_IFMT == S_IFSOCK, status.st_uid == owner else {
            throw .system(EPERM, .security, failure)
        }
        guard unsafe fchownat(raw, "", uid, gid, linuxEmptyPath) == 0 else { throw .system(errno, .security, failure) }
    }
}

/// O_PATH and AT_EMPTY_PATH, which the C library does not show Swift.
private let linuxPathOnly: Int32 = 0o10000000
private let linuxEmptyPath: Int32 = 0x1000
