import VirtCore
import VirtModel

/// What a guest locks, before it is known by which name.
enum LockSubject: Sendable, Equatable {
    case lease(Lease)
    /// A disk's topmost image.
    case image(path: String, isShared: Bool)
}

/// A resource of virtlockd that a guest locks.
struct GuestLock: Sendable, Equatable {
    /// "": the direct space.
    var space: String
    var name: String
    var isShared = false
    /// The space is there for locks alone: it, and the resource's file, are made.
    var isMade = false

    init(space: String, name: String, isShared: Bool = false, isMade: Bool = false) {
        self.space = space
        self.name = name
        self.isShared = isShared
        self.isMade = isMade
    }

    /// The lock of a lease.
    init(_ lease: Lease) throws(VirtError) {
        guard lease.offset ?? 0 == 0 else {
            throw VirtError(.internalError, .locking, "Offset must be zero for this lock manager")
        }
        guard let path = lease.path, let lockspace = lease.lockspace else {
            throw VirtError(.internalError, .locking, "Missing path or lockspace for lease resource")
        }
        self.init(space: "\(path)/\(lockspace)", name: lease.key ?? "")
    }
}

extension Domain {
    /// What the guest locks while its processors run: its leases, and of its disks those that it may write.
    var lockSubjects: [LockSubject] {
        devices.leases.map { .lease($0) } + devices.disks.compactMap(\.lockSubject)
            + devices.disks.compactMap(\.mirrorLockSubject)
    }
}

extension Disk {
    /// nil: nobody's business, or read only.
    var lockSubject: LockSubject? {
        guard !readonly, let path = source.hostPath, !path.isEmpty else { return nil }
        return .image(path: path, isShared: shareable)
    }

    /// The image that a block job writes besides.
    var mirrorLockSubject: LockSubject? { mirror.flatMap { lockSubject(of: $0.source) } }

    func lockSubject(of image: DiskSource) -> LockSubject? {
        image.hostPath.map { .image(path: $0, isShared: shareable) }
    }
}
