import Glibc
import VirtCore

/// A locked resource and the processes that own it.
struct LockResource: Sendable {
    /// How a resource is acquired (virLockSpaceProtocolAcquireResourceFlags).
    struct Flags: OptionSet, Sendable {
        let rawValue: UInt32
        static let shared = Flags(rawValue: 1)
        /// The file is made when it is not there and removed with the last owner.
        static let autocreate = Flags(rawValue: 2)
        static let known: Flags = [.shared, .autocreate]
    }

    let name: String
    let path: String
    let file: LockFile
    let flags: Flags
    var owners: [LockHolder]

    static func busy(_ name: String) -> VirtError {
        VirtError(.resourceBusy, .lockspace, "Lockspace resource '\(name)' is locked")
    }

    /// Gives the lock up. A file that was made for it goes, unless others may still hold it.
    func end() {
        if flags.contains(.autocreate), file.takeAlone() { unsafe unlink(path) }
        file.free()
    }
}
