import VirtCore

/// A domain's state and why it is in it (virDomainState and its reasons).
struct DomainState: Sendable, Equatable {
    /// virDomainState.
    enum Kind: Int32, Sendable, CaseIterable {
        case none = 0
        case running, blocked, paused, shutdown, shutoff, crashed, suspended
    }

    var kind: Kind
    /// The number of the reason among the kind's reasons.
    var reason: Int32

    private init(_ kind: Kind, _ reason: Int32) {
        self.kind = kind
        self.reason = reason
    }

    static func running(_ reason: Running) -> DomainState { DomainState(.running, reason.rawValue) }
    static func paused(_ reason: Paused) -> DomainState { DomainState(.paused, reason.rawValue) }
    static func shutdown(_ reason: Shutdown) -> DomainState { DomainState(.shutdown, reason.rawValue) }
    static func shutoff(_ reason: Shutoff) -> DomainState { DomainState(.shutoff, reason.rawValue) }
    static func crashed(_ reason: Crashed) -> DomainState { DomainState(.crashed, reason.rawValue) }
    static let suspended = DomainState(.suspended, 0)

    /// virDomainRunningReason.
    enum Running: Int32, Sendable, CaseIterable {
        case unknown = 0
        case booted, migrated, restored, fromSnapshot, unpaused, migrationCanceled, saveCanceled, wakeup, crashed
        case postcopy, postcopyFailed
    }

    /// virDomainPausedReason.
    enum Paused: Int32, Sendable, CaseIterable {
        case unknown = 0
        case user, migration, save, dump, ioError, watchdog, fromSnapshot, shuttingDown, snapshot, crashed
        case startingUp, postcopy, postcopyFailed, apiError
    }

    /// virDomainShutdownReason.
    enum Shutdown: Int32, Sendable { case unknown = 0, user }

    /// virDomainShutoffReason.
    enum Shutoff: Int32, Sendable, CaseIterable {
        case unknown = 0
        case shutdown, destroyed, crashed, migrated, saved, failed, fromSnapshot, daemon
    }

    /// virDomainCrashedReason.
    enum Crashed: Int32, Sendable { case unknown = 0, panicked }

    /// A guest exists: everything but shut off.
    var isActive: Bool { kind != .shutoff && kind != .none }
}

extension DomainState {
    private static let kindNames = [
        "no state", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended",
    ]
    private static let reasonNames: [Kind: [String]] = [
        .none: ["unknown"],
        .running: [
            "unknown", "booted", "migrated", "restored", "from snapshot", "unpaused", "migration canceled",
            "save canceled", "wakeup", "crashed", "post-copy", "post-copy failed",
        ],
        .blocked: ["unknown"],
        .paused: [
            "unknown", "user", "migration", "save", "dump", "ioerror", "watchdog", "from snapshot", "shutdown",
            "snapshot", "panicked", "starting up", "post-copy", "post-copy failed", "api error",
        ],
        .shutdown: ["unknown", "user"],
        .shutoff: [
            "unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from snapshot", "daemon",
        ],
        .crashed: ["unknown", "panicked"],
        .suspended: ["unknown"],
    ]

    /// The word of a status file's `state` attribute.
    var name: String { Self.kindNames[Int(kind.rawValue)] }

    /// The word of a status file's `reason` attribute, and of log lines.
    var reasonName: String {
        let names = Self.reasonNames[kind] ?? []
        return names.indices.contains(Int(reason)) ? names[Int(reason)] : "unknown"
    }

    /// Reads a status file's words; nil for words that libvirt does not have.
    init?(name: String, reason: String) {
        guard let index = Self.kindNames.firstIndex(of: name), let kind = Kind(rawValue: Int32(index)),
            let number = Self.reasonNames[kind]?.firstIndex(of: reason)
        else { return nil }
        self.init(kind, Int32(number))
    }
}
