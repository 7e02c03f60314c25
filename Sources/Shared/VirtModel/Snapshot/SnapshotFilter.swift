/// What the flags of snapshot lists ask for (VIR_DOMAIN_SNAPSHOT_LIST_*).
package struct SnapshotFilter: Sendable {
    /// Without a starting point: those without parent. With one: all that come from it instead of its children.
    private static let rootsOrDescendants: UInt32 = 1
    private static let metadata: UInt32 = 2
    private static let leaves: UInt32 = 4
    private static let noLeaves: UInt32 = 8
    private static let noMetadata: UInt32 = 16
    private static let inactive: UInt32 = 32
    private static let active: UInt32 = 64
    private static let diskOnly: UInt32 = 128
    private static let `internal`: UInt32 = 256
    private static let external: UInt32 = 512
    /// Parents before their children.
    private static let topological: UInt32 = 1024
    package static let known: UInt32 = 2047

    private let flags: UInt32

    package init(_ flags: UInt32) { self.flags = flags }

    private func has(_ flag: UInt32) -> Bool { flags & flag != 0 }

    /// Of a pair (or three) of which all are asked for, none restricts.
    private func group(_ members: UInt32) -> UInt32 { flags & members == members ? 0 : flags & members }

    /// The names that a list shows, beginning with what comes from `start`.
    package func names(_ tree: SnapshotTree, from start: String?) -> [String] {
        // All snapshots have metadata.
        guard group(Self.metadata | Self.noMetadata) != Self.noMetadata else { return [] }
        let isDeep = has(Self.rootsOrDescendants) != (start == nil)
        let found: [String]
        if !isDeep {
            found = tree.children(of: start)
        } else if start == nil, !has(Self.topological) {
            found = tree.names
        } else {
            found = tree.descendants(of: start)
        }
        let parents = Set(tree.names.compactMap(tree.parent(of:)))
        return found.filter { name in tree[name: name].map { matches($0, hasChildren: parents.contains(name)) } ?? false
        }
    }

    private func matches(_ snapshot: Snapshot, hasChildren: Bool) -> Bool {
        let kinds = group(Self.leaves | Self.noLeaves)
        if kinds != 0, (kinds == Self.leaves) == hasChildren { return false }
        let states = group(Self.inactive | Self.active | Self.diskOnly)
        if states != 0, states & Self.flag(of: snapshot) == 0 { return false }
        let places = group(Self.internal | Self.external)
        return places == 0 || (places == Self.external) == snapshot.isExternal
    }

    private static func flag(of snapshot: Snapshot) -> UInt32 {
        switch snapshot.state {
        case .shutoff?: inactive
        case .diskSnapshot?: diskOnly
        default: active
        }
    }
}
