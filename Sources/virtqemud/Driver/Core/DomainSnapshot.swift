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
    let wasUpdated: Bool
    private let liveBox: SharedDomain?
    private let configBox: SharedDomain?
    /// The guest's definition as it runs.
    var live: Domain? { liveBox?.value }
    /// The persistent definition, nil for a transient domain.
    var config: Domain? { configBox?.value }
    /// What is only there while a guest runs.
    let runtime: GuestRuntime?
    let job: JobQueue.Holder?
    let checkpoints: CheckpointList

    /// Where a disk's content is in the file system.
    struct Image: Sendable {
        let path: String
        let format: String?
    }

    private struct Cache {
        var texts: [UInt32: String] = [:]
        var statistics: [UInt32: [TypedParameter]] = [:]
        var images: [Image?]?
        var inactive: (groups: UInt32, sizes: [FileSizes?], list: [TypedParameter])?
    }
    private let cache = Mutex(Cache())

    init(
        uuid: UUID, name: String, state: DomainState, hasAutostart: Bool, hasManagedSave: Bool, wasUpdated: Bool,
        live: SharedDomain?, config: SharedDomain?, runtime: GuestRuntime?, job: JobQueue.Holder?,
        checkpoints: CheckpointList = CheckpointList()
    ) {
        self.uuid = uuid
        self.name = name
        id = runtime?.id ?? -1
        self.state = state
        self.hasAutostart = hasAutostart
        self.hasManagedSave = hasManagedSave
        self.wasUpdated = wasUpdated
        liveBox = live
        configBox = config
        self.runtime = runtime
        self.job = job
        self.checkpoints = checkpoints
    }

    var isActive: Bool { id >= 0 }
    var isPersistent: Bool { configBox != nil }
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

    /// The images of the persistent definition's disks, in their order; asked for at each call for statistics.
    var images: [Image?] {
        if let known = cache.withLock({ $0.images }) { return known }
        let disks = config?.devices.disks ?? []
        let images = disks.map { disk in disk.source.localPath.map { Image(path: $0, format: disk.driver?.type) } }
        cache.withLock { $0.images = images }
        return images
    }

    /// A text made once per snapshot and key.
    func text(_ key: UInt32, _ make: () throws -> String) rethrows -> String {
        if let known = cache.withLock({ $0.texts[key] }) { return known }
        let text = try make()
        cache.withLock { $0.texts[key] = text }
        return text
    }

    /// All statistics of a domain that does not run, made again when the sizes of its images have changed.
    func inactiveStatistics(
        _ groups: UInt32, _ sizes: [FileSizes?], _ make: () -> [TypedParameter]
    ) -> [TypedParameter] {
        if let known = cache.withLock({ $0.inactive }), known.groups == groups, known.sizes == sizes {
            return known.list
        }
        let list = make()
        cache.withLock { $0.inactive = (groups, sizes, list) }
        return list
    }

    /// Statistics that can't change while this snapshot is the latest.
    func statistics(_ key: UInt32, _ make: () -> [TypedParameter]) -> [TypedParameter] {
        if let known = cache.withLock({ $0.statistics[key] }) { return known }
        let list = make()
        cache.withLock { cache in
            // Clients use a few combinations; one that tries them all does not fill the memory.
            if cache.statistics.count >= 8 { cache.statistics = [:] }
            cache.statistics[key] = list
        }
        return list
    }
}

/// A definition that its actor and the snapshots share.
final class SharedDomain: Sendable {
    let value: Domain

    init(_ value: Domain) { self.value = value }
}
