import Glibc
import VirtDaemon
import VirtOS
import VirtWire

extension StoredLocks {
    /// What an earlier process of the service left.
    struct Found {
        var spaces: [String] = []
        var resources: [(facts: StoredResource, file: DescriptorBox)] = []
        var clients: [(entry: Entry, client: LockClient, socket: DescriptorBox)] = []
    }

    /// "lock-facts-12-3"
    private struct Name {
        let prefix: String
        let entry: Entry

        init?(_ text: String) {
            let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            guard (3...4).contains(parts.count), let number = UInt64(parts[2]),
                let revision = parts.count == 4 ? UInt64(parts[3]) : 0
            else { return nil }
            prefix = "\(parts[0])-\(parts[1])"
            entry = Entry(number: number, revision: revision)
        }
    }

    /// Finds what belongs together, which stays stored under its names. Parts without their counterparts are given up.
    mutating func takeUp(_ passed: [Activation.Passed]) -> Found {
        let byName = Dictionary(passed.map { ($0.name, $0.descriptor) }) { first, _ in first }
        var found = Found()
        var used: Set<String> = []
        let names = passed.compactMap { Name($0.name) }
        lastNumber = max(lastNumber, names.map(\.entry.number).max() ?? 0)
        // A crash between storing a memory file and removing the one before leaves both: the later one counts.
        for wanted in names.sorted(by: { $0.entry.revision > $1.entry.revision }) {
            let text = name(wanted.prefix, wanted.entry)
            guard let memory = byName[text] else { continue }
            let partner = partner(of: wanted)
            guard partner.map({ byName[$0] != nil && !used.contains($0) }) ?? true,
                take(wanted, memory, partner.flatMap { byName[$0] }, &found)
            else { continue }
            used.insert(text)
            if let partner { used.insert(partner) }
        }
        for name in byName.keys where !used.contains(name) { notify.removeStored(name: name) }
        return found
    }

    private func partner(of name: Name) -> String? {
        switch name.prefix {
        case Prefix.resource: "\(Prefix.file)-\(name.entry.number)"
        case Prefix.owner: "\(Prefix.socket)-\(name.entry.number)"
        default: nil
        }
    }

    /// False: it makes no sense.
    private mutating func take(
        _ name: Name, _ memory: DescriptorBox, _ partner: DescriptorBox?, _ found: inout Found
    ) -> Bool {
        switch name.prefix {
        case Prefix.space:
            guard let space: StoredSpace = decode(memory), spaces[space.directory] == nil else { return false }
            spaces[space.directory] = name.entry
            found.spaces.append(space.directory)
        case Prefix.resource:
            guard let partner, let facts: StoredResource = decode(memory) else { return false }
            let key = Key(space: facts.space, name: facts.name)
            guard resources[key] == nil else { return false }
            resources[key] = name.entry
            found.resources.append((facts, partner))
        case Prefix.owner:
            guard let partner, let client: LockClient = decode(memory) else { return false }
            found.clients.append((name.entry, client, partner))
        default: return false
        }
        return true
    }

    private func decode<Facts: XDRCodable>(_ memory: DescriptorBox) -> Facts? {
        var bytes = [UInt8](repeating: 0, count: StoredResource.longest)
        let count = unsafe pread(memory.rawValue, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return try? Facts(decoding: bytes[..<count])
    }
}
