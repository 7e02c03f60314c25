import VirtCore
import VirtOS

/// The lock of one resource: on the first byte of a file, where virtlockd has always taken it.
///
/// It is a lock of the open file (F_OFD_SETLK). It excludes the record locks that C virtlockd takes, here and on other
/// hosts, does not vanish when something else in this process closes the same file, and lives as long as any copy of the
/// descriptor: systemd's store keeps it over a crash, exec passes it on.
struct LockFile: Sendable {
    let descriptor: DescriptorBox
    let isShared: Bool

    /// What came of taking over a lock.
    enum Claim {
        case held
        /// An exclusive lock is a shared one for now: somebody else has a shared one too.
        case weakened
        /// Somebody else has it.
        case lost
    }

    private static let length: Int64 = 1
    /// How often an upgrade is tried at once: who slipped in was most likely only looking.
    private static let attempts = 20

    private var kind: FileLock.Kind { isShared ? .shared : .exclusive }

    /// False: somebody else has it.
    func take() throws(VirtError) -> Bool {
        try FileLock.takeOpenFile(descriptor.rawValue, kind, length: Self.length)
    }

    /// Makes the lock that an earlier program left on the descriptor this program's.
    ///
    /// One of C virtlockd's is a record lock, which belongs to the process. It cannot stand beside an exclusive lock of the
    /// open file, not even for the same process, but both can be shared: so the way leads over that. The file is locked
    /// at each moment; another's shared request can slip in, and is then waited for.
    func claim() throws(VirtError) -> Claim {
        let number = descriptor.rawValue
        if try take() {
            try FileLock.releaseRecord(number, length: Self.length)
            return .held
        }
        guard try FileLock.takeRecord(number, .shared, length: Self.length),
            try FileLock.takeOpenFile(number, .shared, length: Self.length)
        else { return .lost }
        try FileLock.releaseRecord(number, length: Self.length)
        for _ in 0..<Self.attempts where try take() { return .held }
        return .weakened
    }

    /// Whether nobody else has it, for a moment at least: a shared lock becomes an exclusive one.
    func takeAlone() -> Bool {
        (try? FileLock.takeOpenFile(descriptor.rawValue, .exclusive, length: Self.length)) == true
    }

    /// Gives the lock up, whoever else holds a copy of the descriptor.
    func free() {
        try? FileLock.releaseOpenFile(descriptor.rawValue, length: Self.length)
    }
}
