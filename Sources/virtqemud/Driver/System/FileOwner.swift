import CLinux
import Glibc
import VirtCore

/// The DAC rules for files that a guest uses: the file is QEMU's while it runs, and the owner before is remembered in
/// extended attributes with a count of users, in C libvirt's format, so that either implementation can give it back.
struct FileOwner: Sendable {
    let uid: uid_t
    let gid: gid_t
    /// Whether owners are remembered at all (`remember_owner`).
    let remembers: Bool

    private static let owner = "trusted.libvirt.security.dac"
    private static let count = "trusted.libvirt.security.ref_dac"
    private static let time = "trusted.libvirt.security.timestamp_dac"
    private static let log = Logger("security.dac")

    /// Makes a file QEMU's.
    ///
    /// - Parameter remember: note the owner before, or count one more user of the file.
    func take(_ path: String, remember: Bool) throws(VirtError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            throw .system(errno, .security, "unable to stat: \(path)")
        }
        let remembered = remember && remembers && self.remember(path, status)
        if status.st_uid == uid && status.st_gid == gid { return }
        guard unsafe chown(path, uid, gid) == 0 else {
            let code = errno
            // What cannot change hands (read-only or network file systems) may be readable as it is.
            if code == EROFS || code == EOPNOTSUPP || code == ENOTSUP { return }
            if remembered { _ = recall(path) }
            throw .system(code, .security, "unable to set user and group to '\(uid):\(gid)' on '\(path)'")
        }
    }

    /// Gives a file back to the owner from before, when this was its last user.
    func giveBack(_ path: String, recall wanted: Bool) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return }
        var owner: (uid_t, gid_t) = (0, 0)
        if wanted && remembers {
            switch recall(path) {
            case .owner(let uid, let gid): owner = (uid, gid)
            case .stillUsed: return
            case .unknown: break
            }
        }
        if status.st_uid == owner.0 && status.st_gid == owner.1 { return }
        if unsafe chown(path, owner.0, owner.1) != 0 {
            Self.log.warning("cannot give '\(path)' back to \(owner.0):\(owner.1): \(VirtError.describe(errno: errno))")
        }
    }

    /// What is remembered of one file's owner is remembered for another one instead.
    func move(from old: String, to new: String) {
        guard remembers else { return }
        for name in [Self.owner, Self.count, Self.time] {
            if let value = attribute(old, name) { _ = set(new, name, value) }
        }
        removeAll(old)
    }

    private func remember(_ path: String, _ status: stat) -> Bool {
        dropStale(path)
        if let users = attribute(path, Self.count).flatMap({ UInt32($0) }), users > 0 {
            return set(path, Self.count, "\(users &+ 1)")
        }
        guard set(path, Self.owner, "+\(status.st_uid):+\(status.st_gid)") else { return false }
        _ = set(path, Self.count, "1")
        _ = set(path, Self.time, "\(clinux_boot_time())")
        return true
    }

    private enum Recalled {
        case owner(uid_t, gid_t)
        case stillUsed
        case unknown
    }

    private func recall(_ path: String) -> Recalled {
        dropStale(path)
        guard let users = attribute(path, Self.count).flatMap({ UInt32($0) }) else { return .unknown }
        if users > 1 {
            _ = set(path, Self.count, "\(users - 1)")
            return .stillUsed
        }
        let label = attribute(path, Self.owner)
        removeAll(path)
        guard let label, let owner = Self.parse(label) else { return .unknown }
        return .owner(owner.uid, owner.gid)
    }

    /// Attributes from before the machine's last start say nothing: whoever used the file is gone.
    private func dropStale(_ path: String) {
        guard let written = attribute(path, Self.time).flatMap({ UInt64($0) }) else { return }
        let boot = clinux_boot_time()
        if written.distance(to: boot).magnitude > 2 { removeAll(path) }
    }

    /// Reads "+UID:+GID".
    static func parse(_ label: String) -> (uid: uid_t, gid: gid_t)? {
        let parts = label.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].hasPrefix("+"), parts[1].hasPrefix("+"),
            let uid = uid_t(parts[0].dropFirst()), let gid = gid_t(parts[1].dropFirst())
        else { return nil }
        return (uid, gid)
    }

    private func attribute(_ path: String, _ name: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = unsafe clinux_xattr_get(path, name, &buffer, buffer.count)
        guard length > 0 else { return nil }
        return String(decoding: buffer[0..<min(length, buffer.count)].prefix { $0 != 0 }, as: UTF8.self)
    }

    private func set(_ path: String, _ name: String, _ value: String) -> Bool {
        let bytes = Array(value.utf8)
        return unsafe clinux_xattr_set(path, name, bytes, bytes.count) == 0
    }

    private func removeAll(_ path: String) {
        for name in [Self.owner, Self.count, Self.time] { _ = unsafe clinux_xattr_remove(path, name) }
    }
}
