import VirtCore
import VirtModel

/// The checkpoints of a domain, as a tree by their parents' names.
struct CheckpointList: Sendable {
    /// A checkpoint that its domain's snapshots share: it holds a whole definition.
    private final class Box: Sendable {
        let value: DomainCheckpoint

        init(_ value: DomainCheckpoint) { self.value = value }
    }

    private var boxes: [String: Box] = [:]
    /// The latest one, the parent of the next.
    private(set) var current: String?

    var isEmpty: Bool { boxes.isEmpty }
    var count: Int { boxes.count }

    subscript(name: String) -> DomainCheckpoint? { boxes[name]?.value }

    /// The checkpoint with a name, or libvirt's error.
    func require(_ name: String) throws(VirtError) -> DomainCheckpoint {
        guard let found = self[name] else {
            throw VirtError(
                .noDomainCheckpoint, .qemu, "no domain checkpoint with matching name '\(name)'")
        }
        return found
    }

    mutating func set(_ checkpoint: DomainCheckpoint) {
        guard let name = checkpoint.name else { return }
        boxes[name] = Box(checkpoint)
    }

    mutating func remove(_ name: String) {
        boxes[name] = nil
        if current == name { current = nil }
    }

    mutating func setCurrent(_ name: String?) { current = name.flatMap { boxes[$0] == nil ? nil : $0 } }

    /// A leaf is the latest one, when there is only one.
    mutating func chooseCurrent() {
        let leaves = names.filter { isLeaf($0) }
        current = leaves.count == 1 ? leaves[0] : nil
    }

    private var names: [String] { boxes.keys.sorted() }

    private func parent(_ name: String) -> String? {
        boxes[name]?.value.parent.flatMap { boxes[$0] == nil ? nil : $0 }
    }

    /// Those without a parent that is known.
    private var roots: [String] { names.filter { parent($0) == nil } }

    func children(of name: String) -> [String] { names.filter { parent($0) == name } }

    func isLeaf(_ name: String) -> Bool { !boxes.values.contains { $0.value.parent == name } }

    /// All below one, parents before their children; all there are for nil.
    func descendants(of name: String?) -> [String] {
        var list: [String] = []
        var open = Array((name.map { children(of: $0) } ?? roots).reversed())
        while let next = open.popLast() {
            // A circle in files that somebody wrote by hand ends here.
            guard list.count < boxes.count else { break }
            list.append(next)
            open += children(of: next).reversed()
        }
        return list
    }

    /// Refuses a parent that is not there, or that descends from the checkpoint itself.
    func checkParent(of checkpoint: DomainCheckpoint, domain: String) throws(VirtError) {
        guard let name = checkpoint.name, let wanted = checkpoint.parent else { return }
        guard wanted != name else {
            throw VirtError(.invalidArg, .domainCheckpoint, "cannot set moment \(name) as its own parent")
        }
        guard boxes[wanted] != nil else {
            throw VirtError(
                .invalidArg, .domainCheckpoint, "parent \(wanted) for moment \(name) not found")
        }
        var next: String? = wanted
        var steps = 0
        while let ancestor = next, steps <= boxes.count {
            guard ancestor != name else {
                throw VirtError(
                    .invalidArg, .domainCheckpoint, "parent \(wanted) would create cycle to \(name)")
            }
            next = boxes[ancestor]?.value.parent
            steps += 1
        }
    }

    /// virDomainCheckpointListFlags: roots or descendants 1, topological order 2, leaves 4, no leaves 8.
    func list(below name: String?, flags: UInt32) -> [String] {
        let isDeep = name == nil ? flags & 1 == 0 : flags & 1 != 0
        var list = isDeep ? descendants(of: name) : (name.map { children(of: $0) } ?? roots)
        switch flags & 12 {
        case 4: list.removeAll { !isLeaf($0) }
        case 8: list.removeAll { isLeaf($0) }
        default: break
        }
        return list
    }
}
