import CLinux
import Glibc
package import VirtCore

/// Locks on byte ranges of files.
package enum FileLock {
    package enum Kind: Sendable {
        case shared
        case exclusive

        fileprivate var raw: clinux_lock { self == .shared ? CLINUX_LOCK_SHARED : CLINUX_LOCK_EXCLUSIVE }
    }

    /// Takes a record lock (F_SETLK). It belongs to this process, and closing any descriptor of the file gives it up.
    /// False: another process holds it. `length` 0 reaches to the end.
    package static func takeRecord(
        _ descriptor: Int32, _ kind: Kind, start: Int64 = 0, length: Int64 = 0
    ) throws(VirtError) -> Bool {
        try outcome(clinux_record_lock(descriptor, kind.raw, start, length, false))
    }

    package static func releaseRecord(_ descriptor: Int32, start: Int64 = 0, length: Int64 = 0) throws(VirtError) {
        _ = try outcome(clinux_record_lock(descriptor, CLINUX_LOCK_NONE, start, length, false))
    }

    /// Takes an open file's lock (F_OFD_SETLK): whoever holds the descriptor, or a copy, holds the lock.
    package static func takeOpenFile(
        _ descriptor: Int32, _ kind: Kind, start: Int64 = 0, length: Int64 = 0
    ) throws(VirtError) -> Bool {
        try outcome(clinux_file_lock(descriptor, kind.raw, start, length, false))
    }

    package static func releaseOpenFile(_ descriptor: Int32, start: Int64 = 0, length: Int64 = 0) throws(VirtError) {
        _ = try outcome(clinux_file_lock(descriptor, CLINUX_LOCK_NONE, start, length, false))
    }

    private static func outcome(_ result: Int32) throws(VirtError) -> Bool {
        switch -result {
        case EAGAIN, EACCES: return false
        case let code where code > 0: throw .system(code, .none, "unable to lock file")
        default: return true
        }
    }
}
