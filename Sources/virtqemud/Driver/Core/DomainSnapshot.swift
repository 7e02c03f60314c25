import Synchronization
import VirtCore
import VirtModel
import VirtWire

/// A domain as it was after its last change: what every reading call answers from, on any thread, without waiting.
final class DomainSnapshot: Sendable {
    let uuid: UUID
    let name: String
    /// -1 while no guest runs.
    let id: Int32
    let state: DomainState
    let hasAutostart: Bool
    let hasManagedSave: Bool
    private let liveBox: SharedDomain?
    private let definition: PersistentDefinition?
    /// The guest's definition as it runs.
    var live: Domain? { liveBox?.value }
    /// The persistent definition, nil for a transient domain. Made from its text when it was not asked for lately.
    var config: Domain? { definition?.model }
    let snapshots: SnapshotTree
    /// What is only there while a guest runs.
    let runtime: GuestRuntime?
    let job: JobQueue.Holder?
    let checkpoints: CheckpointList

    private struct Cache {
        var texts: [UInt32: String] = [:]
        var liveSummary: DefinitionSummary?
        var statistics: (groups: UInt32, sizes: [FileSizes?], record: [UInt8])?
    }
    private let cache = Mutex(Cache())

    init(
        uuid: UUID, name: String, state: DomainState, hasAutostart: Bool, hasManagedSave: Bool,
        live: SharedDomain?, config: PersistentDefinition?, snapshots: SnapshotTree = SnapshotTree(),
        runtime: GuestRuntime?, job: JobQueue.Holder?, checkpoints: CheckpointList = CheckpointList()
    ) {
        self.uuid = uuid
        self.name = name
        id = runtime?.id ?? -1
        self.state = state
        self.hasAutostart = hasAutostart
        self.hasManagedSave = hasManagedSave
        liveBox = live
        definition = config
        self.snapshots = snapshots
        self.runtime = runtime
        self.job = job
        self.checkpoints = checkpoints
    }

    var isActive: Bool { id >= 0 }
    var isPersistent: Bool { definition != nil }
    /// The domain on the wire.
    var handle: RemoteNonnullDomain { RemoteNonnullDomain(name: name, uuid: uuid, id: id) }

    /// The definition that calls without flags mean: the live one while there is one.
    func current() throws(VirtError) -> Domain {
        if let live { return live }
        if let config { return config }
        throw VirtError(.internalError, .qemu, "domain '\(name)' has no definition")
    }

    /// The persistent definition, as calls on the configuration see it.
    func persistent() throws(VirtError) -> Domain {
        if let config { return config }
        throw VirtError(.operationInvalid, .domain, "transient domains do not have any persistent config")
    }

    /// What runs, or error 55.
    func running() throws(VirtError) -> (domain: Domain, runtime: GuestRuntime) {
        guard let live, let runtime else {
            throw VirtError(.operationInvalid, .domain, "domain is not running")
        }
        return (live, runtime)
    }

    /// What `current` says in short, without making a model.
    func summary() throws(VirtError) -> DefinitionSummary {
        guard let liveBox else {
            if let definition { return definition.summary }
            throw VirtError(.internalError, .qemu, "domain '\(name)' has no definition")
        }
        if let known = cache.withLock({ $0.liveSummary }) { return known }
        let summary = DefinitionSummary(liveBox.value)
        cache.withLock { $0.liveSummary = summary }
        return summary
    }

    /// What `persistent` says in short.
    func persistentSummary() throws(VirtError) -> DefinitionSummary {
        if let definition { return definition.summary }
        throw VirtError(.operationInvalid, .domain, "transient domains do not have any persistent config")
    }

    /// A text made once per snapshot and key.
    func text(_ key: UInt32, _ make: () throws -> String) rethrows -> String {
        if let known = cache.withLock({ $0.texts[key] }) { return known }
        let text = try make()
        cache.withLock { $0.texts[key] = text }
        return text
    }

    /// The encoded statistics of a domain that does not run: made again when the sizes of its images have changed, else
    /// they can't change while this snapshot is the latest.
    func inactiveStatistics(
        _ groups: UInt32, _ sizes: [FileSizes?], _ make: () throws(VirtError) -> [UInt8]
    ) throws(VirtError) -> [UInt8] {
        if let known = cache.withLock({ $0.statistics }), known.groups == groups, known.sizes == sizes {
            return known.record
        }
        let record = try make()
        cache.withLock { $0.statistics = (groups, sizes, record) }
        return record
    }
}

/// A definition that its actor and the snapshots share.
final class SharedDomain: Sendable {
    let value: Domain

    init(_ value: Domain) { self.value = value }
}
