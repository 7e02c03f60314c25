package import VirtCore

/// The snapshots of one domain and who came from whom. Names are unique; an unknown parent counts as none.
package struct SnapshotTree: Sendable, Equatable {
    private var snapshots: [String: Snapshot] = [:]
    /// The order in which the snapshots were added.
    private var order: [String] = []
    /// The name of the snapshot that the domain's present state comes from.
    package var current: String?

    package init() {}

    package var count: Int { order.count }
    package var isEmpty: Bool { order.isEmpty }
    package var names: [String] { order }
    package var all: [Snapshot] { order.compactMap { snapshots[$0] } }

    package subscript(name name: String) -> Snapshot? { snapshots[name] }

    /// The snapshot of a name, or error 72.
    package func find(_ name: String) throws(VirtError) -> Snapshot {
        guard let found = snapshots[name] else {
            throw VirtError(.noDomainSnapshot, .qemu, "no domain snapshot with matching name '\(name)'")
        }
        return found
    }

    /// Adds a snapshot, or error 9 for a name that is taken.
    package mutating func add(_ snapshot: Snapshot) throws(VirtError) {
        guard snapshots[snapshot.name] == nil else {
            throw VirtError(.operationFailed, .domain, "domain moment \(snapshot.name) already exists")
        }
        put(snapshot)
    }

    /// Adds a snapshot or replaces the one of its name.
    package mutating func put(_ snapshot: Snapshot) {
        if snapshots.updateValue(snapshot, forKey: snapshot.name) == nil { order.append(snapshot.name) }
    }

    /// Forgets a snapshot; what became of its children is the caller's to say.
    package mutating func remove(_ name: String) {
        guard snapshots.removeValue(forKey: name) != nil else { return }
        order.removeAll { $0 == name }
        if current == name { current = nil }
    }

    // MARK: Relations

    /// The name of a snapshot's parent, if that exists.
    package func parent(of name: String) -> String? {
        snapshots[name]?.parent.flatMap { snapshots[$0] == nil ? nil : $0 }
    }

    /// The snapshots that come from one (nil: from none), in the order in which they were made.
    package func children(of name: String?) -> [String] { order.filter { parent(of: $0) == name } }

    /// All that come from one directly or indirectly, parents before their children.
    package func descendants(of name: String?) -> [String] {
        let kin = Dictionary(grouping: order) { parent(of: $0) }
        var found: [String] = []
        var waiting = Array((kin[name] ?? []).reversed())
        while let next = waiting.popLast() {
            found.append(next)
            waiting += (kin[next] ?? []).reversed()
        }
        return found
    }

    /// Refuses a parent that does not exist, or that comes from the snapshot itself.
    package func checkParent(of snapshot: Snapshot) throws(VirtError) {
        guard let parent = snapshot.parent else { return }
        guard parent != snapshot.name else {
            throw VirtError(.invalidArg, .domain, "cannot set moment \(snapshot.name) as its own parent")
        }
        guard var other = snapshots[parent] else {
            throw VirtError(.invalidArg, .domain, "parent \(parent) for moment \(snapshot.name) not found")
        }
        for _ in order {
            guard let above = other.parent else { return }
            guard above != snapshot.name else {
                throw VirtError(.invalidArg, .domain, "parent \(other.name) would create cycle to \(snapshot.name)")
            }
            guard let next = snapshots[above] else { return }
            other = next
        }
    }

    /// Cuts what files on disk may say and what cannot be: circles. True when nothing had to be cut.
    package mutating func repairRelations() -> Bool {
        let reachable = Set(descendants(of: nil))
        var isSound = all.allSatisfy { $0.parent == nil || parent(of: $0.name) != nil }
        for name in order where !reachable.contains(name) {
            guard !descendants(of: nil).contains(name) else { continue }
            snapshots[name]?.parent = nil
            isSound = false
        }
        if !isSound { current = nil }
        return isSound
    }
}
