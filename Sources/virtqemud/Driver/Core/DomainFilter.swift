/// The flags of CONNECT_LIST_ALL_DOMAINS: within each group any set flag lets a domain through.
struct DomainFilter: Sendable {
    private let flags: UInt32

    init(_ flags: UInt32) { self.flags = flags }

    /// All flags that exist.
    static let known: UInt32 = 0xFFFF

    private enum Flag {
        static let active: UInt32 = 1 << 0
        static let inactive: UInt32 = 1 << 1
        static let persistent: UInt32 = 1 << 2
        static let transient: UInt32 = 1 << 3
        static let running: UInt32 = 1 << 4
        static let paused: UInt32 = 1 << 5
        static let shutoff: UInt32 = 1 << 6
        static let other: UInt32 = 1 << 7
        static let managedSave: UInt32 = 1 << 8
        static let noManagedSave: UInt32 = 1 << 9
        static let autostart: UInt32 = 1 << 10
        static let noAutostart: UInt32 = 1 << 11
        static let hasSnapshot: UInt32 = 1 << 12
        static let noSnapshot: UInt32 = 1 << 13
        static let hasCheckpoint: UInt32 = 1 << 14
        static let noCheckpoint: UInt32 = 1 << 15
    }

    func matches(_ domain: DomainSnapshot) -> Bool {
        pair(Flag.active, Flag.inactive, domain.isActive)
            && pair(Flag.persistent, Flag.transient, domain.isPersistent)
            && pair(Flag.managedSave, Flag.noManagedSave, domain.hasManagedSave)
            && pair(Flag.autostart, Flag.noAutostart, domain.hasAutostart)
            && pair(Flag.hasSnapshot, Flag.noSnapshot, false)
            && pair(Flag.hasCheckpoint, Flag.noCheckpoint, false)
            && matchesState(domain.state.kind)
    }

    private func pair(_ yes: UInt32, _ no: UInt32, _ value: Bool) -> Bool {
        guard flags & (yes | no) != 0 else { return true }
        return flags & (value ? yes : no) != 0
    }

    private func matchesState(_ kind: DomainState.Kind) -> Bool {
        let group = Flag.running | Flag.paused | Flag.shutoff | Flag.other
        guard flags & group != 0 else { return true }
        switch kind {
        case .running: return flags & Flag.running != 0
        case .paused: return flags & Flag.paused != 0
        case .shutoff: return flags & Flag.shutoff != 0
        case .none, .blocked, .shutdown, .crashed, .suspended: return flags & Flag.other != 0
        }
    }
}
