import CLinux
import Glibc
package import VirtCore

/// A file that holds a process's id and is locked while the process lives, as libvirt's daemons keep them.
///
/// Closing any descriptor of the file in this process gives up the lock: do not read an own pid file.
package struct PidFile: ~Copyable, Sendable {
    package let path: String
    /// The locked file, close-on-exec.
    package let descriptor: OwnedDescriptor

    /// Locks the file and writes the id. Another process that holds it is EAGAIN.
    package init(acquiring path: String, pid: Int32 = getpid()) throws(VirtError) {
        while true {
            let file = try Self.open(path)
            let result = clinux_record_lock(file.rawValue, CLINUX_LOCK_EXCLUSIVE, 0, 0, false)
            guard result >= 0 else { throw .system(-result, .none, "Failed to acquire pid file '\(path)'") }
            // Somebody may have removed or replaced it between our open and our lock.
            guard Self.isSame(file.rawValue, path) else { continue }
            guard ftruncate(file.rawValue, 0) == 0 else {
                throw .system(errno, .none, "Failed to truncate pid file '\(path)'")
            }
            try FileSystem.write(file.rawValue, Array("\(pid)".utf8), name: path)
            self.path = path
            descriptor = file
            return
        }
    }

    /// Takes over a file that this process locked before it re-executed itself.
    package init(adopting descriptor: consuming OwnedDescriptor, path: String) {
        self.path = path
        self.descriptor = descriptor
    }

    /// Removes the file and gives up the lock, in this order: nobody locks a file that is about to go.
    package consuming func remove() { unsafe unlink(path) }

    /// The id in a pid file; nil if there is none, or no sensible one.
    package static func read(_ path: String) -> Int32? {
        guard let bytes = try? FileSystem.read(path, limit: 64) else { return nil }
        let text = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: " ") && $0 != 0 }
        guard let pid = Int32(String(decoding: text, as: UTF8.self)), pid > 0 else { return nil }
        return pid
    }

    /// The process that holds the lock; nil if none does, or the file is not this user's own: in a directory that others
    /// write to, it could lead to anybody's.
    package static func holder(_ path: String) -> Int32? {
        guard let file = try? OwnedDescriptor(opening: path, O_RDWR | O_NOFOLLOW) else { return nil }
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0, status.st_uid == geteuid(), status.st_nlink == 1 else {
            return nil
        }
        let pid = clinux_record_lock_holder(file.rawValue, 0, 0)
        return pid > 0 ? pid : nil
    }

    private static func open(_ path: String) throws(VirtError) -> OwnedDescriptor {
        let raw = unsafe clinux_open(path, O_RDWR | O_CREAT, 0o644)
        guard raw >= 0 else { throw .system(-raw, .none, "Failed to open pid file '\(path)'") }
        return OwnedDescriptor(raw)
    }

    private static func isSame(_ file: Int32, _ path: String) -> Bool {
        var ours = stat()
        var theirs = stat()
        return unsafe fstat(file, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino
            && ours.st_dev == theirs.st_dev
    }
}
