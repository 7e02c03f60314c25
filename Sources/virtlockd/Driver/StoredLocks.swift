import CLinux
import Glibc
import VirtCore
import VirtDaemon
import VirtOS
import VirtWire

/// What systemd's descriptor store keeps of the locks: the files that are locked, the connections that guests inherited,
/// and memory files that say what each is. The next process of the service finds it there, whatever happened to this one.
///
/// A name has a number, and that of a memory file also a revision: a new one is stored before the old one is given up.
/// The store's copy keeps a lock alive: what is released is taken out first.
struct StoredLocks {
    enum Prefix {
        static let file = "lock-file"
        static let resource = "lock-facts"
        static let socket = "lock-client"
        static let owner = "lock-owner"
        static let space = "lock-space"
    }

    struct Key: Hashable {
        let space: String
        let name: String
    }

    struct Entry {
        let number: UInt64
        var revision: UInt64 = 0
    }

    let notify: SystemdNotify
    var lastNumber: UInt64 = 0
    var resources: [Key: Entry] = [:]
    var clients: [UInt64: Entry] = [:]
    var spaces: [String: Entry] = [:]

    init(_ notify: SystemdNotify) {
        self.notify = notify
    }

    // MARK: Storing

    /// Stores a resource that was locked, or whose owners changed.
    mutating func keep(_ resource: LockResource, in space: String) {
        guard notify.isActive else { return }
        let key = Key(space: space, name: resource.name)
        let before = resources[key]
        let now = next(before)
        guard store(StoredResource(resource, in: space), Prefix.resource, now) else { return }
        resources[key] = now
        if let before {
            notify.removeStored(name: name(Prefix.resource, before))
        } else {
            notify.store(name: "\(Prefix.file)-\(now.number)", descriptors: [resource.file.descriptor.rawValue])
        }
    }

    /// To be called before the lock is given up.
    mutating func forget(_ resource: LockResource, in space: String) {
        guard let entry = resources.removeValue(forKey: Key(space: space, name: resource.name)) else { return }
        notify.removeStored(name: "\(Prefix.file)-\(entry.number)")
        notify.removeStored(name: name(Prefix.resource, entry))
    }

    /// Stores the connection that an owner holds itself, or what has changed about it.
    mutating func keep(_ client: LockClient, id: UInt64, socket: DescriptorBox) {
        guard notify.isActive else { return }
        let before = clients[id]
        let now = next(before)
        guard store(client, Prefix.owner, now) else { return }
        clients[id] = now
        if let before {
            notify.removeStored(name: name(Prefix.owner, before))
        } else {
            notify.store(name: "\(Prefix.socket)-\(now.number)", descriptors: [socket.rawValue])
        }
    }

    mutating func forgetClient(_ id: UInt64) {
        guard let entry = clients.removeValue(forKey: id) else { return }
        notify.removeStored(name: "\(Prefix.socket)-\(entry.number)")
        notify.removeStored(name: name(Prefix.owner, entry))
    }

    mutating func keep(space: String) {
        guard notify.isActive, spaces[space] == nil else { return }
        let entry = next(nil)
        if store(StoredSpace(directory: space), Prefix.space, entry) { spaces[space] = entry }
    }

    /// Whether the store has a client's connection.
    func holdsClient(_ id: UInt64) -> Bool { clients[id] != nil }

    /// Empties the store: another program takes over, which may not know of it.
    mutating func forgetAll() {
        for entry in resources.values {
            notify.removeStored(name: "\(Prefix.file)-\(entry.number)")
            notify.removeStored(name: name(Prefix.resource, entry))
        }
        for id in Array(clients.keys) { forgetClient(id) }
        for entry in spaces.values { notify.removeStored(name: name(Prefix.space, entry)) }
        resources = [:]
        spaces = [:]
    }

    private mutating func next(_ entry: Entry?) -> Entry {
        if let entry { return Entry(number: entry.number, revision: entry.revision + 1) }
        lastNumber += 1
        return Entry(number: lastNumber)
    }

    func name(_ prefix: String, _ entry: Entry) -> String { "\(prefix)-\(entry.number)-\(entry.revision)" }

    private func store(_ facts: some XDRCodable, _ prefix: String, _ entry: Entry) -> Bool {
        do throws(VirtError) {
            let bytes = try facts.encoded()
            let file = unsafe bytes.withUnsafeBytes { unsafe clinux_memory_file("virtlockd", $0.baseAddress, $0.count) }
            guard file >= 0 else { throw .system(-file, .none, "Unable to create memory file") }
            let box = DescriptorBox(OwnedDescriptor(file))
            notify.store(name: name(prefix, entry), descriptors: [box.rawValue])
            return true
        } catch {
            log.error("a lock would not survive a crash: \(error.message)")
            return false
        }
    }
}
