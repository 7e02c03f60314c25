import Synchronization
import VirtCore
import VirtModel
import VirtWire

/// All domains by UUID, name and id. Look-ups and lists read published snapshots under one short lock.
final class DomainRegistry: Sendable {
    private struct Entry {
        let actor: DomainActor
        var snapshot: DomainSnapshot
    }

    private struct State {
        var entries: [UUID: Entry] = [:]
        var names: [String: UUID] = [:]
        var ids: [Int32: UUID] = [:]
        /// All snapshots in order of names, until the next change.
        var list: [DomainSnapshot]?
        /// Replies of list calls by their flags, until the next change.
        var replies: [UInt32: [RemoteNonnullDomain]] = [:]
    }

    private let state = Mutex(State())

    // MARK: Look-ups

    func snapshot(_ uuid: UUID) throws(VirtError) -> DomainSnapshot {
        guard let found = state.withLock({ $0.entries[uuid]?.snapshot }) else { throw Self.unknown(uuid) }
        return found
    }

    func actor(_ uuid: UUID) throws(VirtError) -> DomainActor {
        guard let found = state.withLock({ $0.entries[uuid]?.actor }) else { throw Self.unknown(uuid) }
        return found
    }

    /// The domain that a call is about, or error 42 with the name that the client knows it by.
    func snapshot(_ domain: RemoteNonnullDomain) throws(VirtError) -> DomainSnapshot {
        guard let found = state.withLock({ $0.entries[domain.uuid]?.snapshot }) else {
            throw Self.unknown(domain.uuid, domain.name)
        }
        return found
    }

    func actor(_ domain: RemoteNonnullDomain) throws(VirtError) -> DomainActor {
        guard let found = state.withLock({ $0.entries[domain.uuid]?.actor }) else {
            throw Self.unknown(domain.uuid, domain.name)
        }
        return found
    }

    func snapshot(named name: String) throws(VirtError) -> DomainSnapshot {
        let found = state.withLock { state in state.names[name].flatMap { state.entries[$0]?.snapshot } }
        guard let found else {
            throw VirtError(.noDomain, .qemu, "no domain with matching name '\(name)'")
        }
        return found
    }

    func snapshot(id: Int32) throws(VirtError) -> DomainSnapshot {
        let found = state.withLock { state in state.ids[id].flatMap { state.entries[$0]?.snapshot } }
        guard let found else {
            throw VirtError(.noDomain, .qemu, "no domain with matching id \(id)")
        }
        return found
    }

    private static func unknown(_ uuid: UUID, _ name: String? = nil) -> VirtError {
        let shown = name.map { " (\($0))" } ?? ""
        return VirtError(.noDomain, .qemu, "no domain with matching uuid '\(uuid)'\(shown)")
    }

    // MARK: Lists

    /// All domains in order of their names.
    var all: [DomainSnapshot] {
        state.withLock { Self.list(&$0) }
    }

    var actors: [DomainActor] { state.withLock { $0.entries.values.map(\.actor) } }

    var count: Int { state.withLock { $0.entries.count } }
    var activeCount: Int { state.withLock { $0.ids.count } }
    var activeIDs: [Int32] { state.withLock { $0.ids.keys.sorted() } }

    /// The reply to a list call: made once per set of flags and change.
    func handles(_ flags: UInt32) -> [RemoteNonnullDomain] {
        state.withLock { state in
            if let known = state.replies[flags] { return known }
            let filter = DomainFilter(flags)
            let reply = Self.list(&state).filter(filter.matches).map(\.handle)
            // Clients use a handful of combinations; one that tries them all does not fill the memory.
            if state.replies.count >= 32 { state.replies = [:] }
            state.replies[flags] = reply
            return reply
        }
    }

    private static func list(_ state: inout State) -> [DomainSnapshot] {
        if let list = state.list { return list }
        let list = state.entries.values.map(\.snapshot).sorted { $0.name < $1.name }
        state.list = list
        return list
    }

    // MARK: Changes

    /// What a name and a UUID say about a new definition.
    enum Match {
        case new
        case existing(DomainActor)
    }

    /// Finds the domain that a definition redefines, or libvirt's error for a name or UUID that is another's.
    func match(name: String, uuid: UUID) throws(VirtError) -> Match {
        let found = state.withLock { state in (state.entries[uuid], state.names[name]) }
        if let entry = found.0 {
            guard entry.snapshot.name == name else {
                throw VirtError(
                    .operationFailed, .domain,
                    "domain '\(entry.snapshot.name)' is already defined with uuid \(uuid)")
            }
            return .existing(entry.actor)
        }
        if let other = found.1 {
            throw VirtError(.operationFailed, .domain, "domain '\(name)' already exists with uuid \(other)")
        }
        return .new
    }

    /// Adds a domain unless its name or UUID has been taken meanwhile.
    func insert(_ actor: DomainActor, _ snapshot: DomainSnapshot) throws(VirtError) {
        _ = try match(name: snapshot.name, uuid: snapshot.uuid)
        let taken = state.withLock { state in
            guard state.entries[snapshot.uuid] == nil, state.names[snapshot.name] == nil else { return true }
            state.entries[snapshot.uuid] = Entry(actor: actor, snapshot: snapshot)
            state.names[snapshot.name] = snapshot.uuid
            if snapshot.isActive { state.ids[snapshot.id] = snapshot.uuid }
            Self.changed(&state)
            return false
        }
        if taken {
            throw VirtError(
                .operationFailed, .domain, "domain '\(snapshot.name)' already exists with uuid \(snapshot.uuid)")
        }
    }

    /// Makes a domain's new snapshot the one that everybody sees.
    func publish(_ snapshot: DomainSnapshot) {
        state.withLock { state in
            guard let old = state.entries[snapshot.uuid]?.snapshot else { return }
            state.entries[snapshot.uuid]?.snapshot = snapshot
            if old.name != snapshot.name {
                state.names[old.name] = nil
                state.names[snapshot.name] = snapshot.uuid
            }
            if old.isActive { state.ids[old.id] = nil }
            if snapshot.isActive { state.ids[snapshot.id] = snapshot.uuid }
            Self.changed(&state)
        }
    }

    /// Takes a name for a domain that is about to be renamed.
    func reserve(name: String, for uuid: UUID) throws(VirtError) {
        let taken = state.withLock { state in
            if let owner = state.names[name], owner != uuid { return true }
            state.names[name] = uuid
            return false
        }
        if taken {
            throw VirtError(.operationInvalid, .domain, "domain with name '\(name)' already exists")
        }
    }

    func release(name: String, of uuid: UUID) {
        state.withLock { state in
            if state.names[name] == uuid { state.names[name] = nil }
        }
    }

    func remove(_ uuid: UUID) {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: uuid) else { return }
            state.names[entry.snapshot.name] = nil
            if entry.snapshot.isActive { state.ids[entry.snapshot.id] = nil }
            Self.changed(&state)
        }
    }

    private static func changed(_ state: inout State) {
        state.list = nil
        state.replies = [:]
    }
}
