import VirtCore
import VirtOS

/// Open images that clients gave a domain, by the names in `<source fdgroup=>`. Each is good for any number of starts,
/// until its client leaves.
struct DescriptorGroups: Sendable {
    private struct Group: Sendable {
        let descriptors: [DescriptorBox]
        let client: UInt64
    }

    private var groups: [String: Group] = [:]

    /// A name that is known is replaced, whoever gave it.
    mutating func associate(_ name: String, _ descriptors: [DescriptorBox], client: UInt64) {
        groups[name] = Group(descriptors: descriptors, client: client)
    }

    mutating func removeAll(of client: UInt64) { groups = groups.filter { $0.value.client != client } }

    func hasAny(of client: UInt64) -> Bool { groups.contains { $0.value.client == client } }

    /// The descriptors of a group, at least one.
    func required(_ name: String) throws(VirtError) -> [DescriptorBox] {
        guard let group = groups[name] else {
            throw VirtError(.invalidArg, .qemu, "file descriptor group '\(name)' was not associated with the domain")
        }
        return group.descriptors
    }
}
