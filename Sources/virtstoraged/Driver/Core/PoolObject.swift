import Synchronization
import VirtCore
import VirtModel

/// A pool as the daemon knows it. Reads take the state as it is; changes happen in its jobs, one after another.
final class PoolObject: Sendable {
    let name: String
    let uuid: UUID
    /// For what must not overlap: start, stop, refresh, delete, resize.
    let jobs = JobLock()
    private let state: Mutex<PoolState>

    init(_ definition: StoragePool) {
        name = definition.name
        uuid = definition.uuid
        state = Mutex(PoolState(definition: definition))
    }

    /// The state at this moment.
    var snapshot: PoolState { state.withLock { $0 } }

    /// Changes the state in one step.
    @discardableResult
    func update<T>(_ body: (inout PoolState) throws -> sending T) rethrows -> sending T {
        try state.withLock { try body(&$0) }
    }
}

/// Everything that is known of a pool.
struct PoolState: Sendable {
    /// What the pool is now.
    var definition: StoragePool
    /// What it will be once it was stopped; nil: the same.
    var nextDefinition: StoragePool?
    var isActive = false
    var isPersistent = false
    var isAutostart = false
    /// Gone from the registry: a job that waited for its turn finds nothing any more.
    var isRemoved = false
    var volumes: [String: VolumeRecord] = [:]
    /// Volumes that are made, copied, uploaded or wiped at the moment.
    var longJobs = 0
    /// Counts changes of the volumes, so that a refresh knows what happened since it began.
    var changes: UInt64 = 0

    /// The definition that is kept on disk.
    var persistentDefinition: StoragePool { nextDefinition ?? definition }

    func requireActive() throws(VirtError) {
        guard isActive else {
            throw VirtError(.operationInvalid, .storage, "storage pool '\(definition.name)' is not active")
        }
    }

    func requireInactive() throws(VirtError) {
        guard !isActive else {
            throw VirtError(.operationInvalid, .storage, "storage pool '\(definition.name)' is still active")
        }
    }

    func requireNoLongJobs() throws(VirtError) {
        guard longJobs == 0 else {
            throw VirtError(.internalError, .storage, "pool '\(definition.name)' has asynchronous jobs running.")
        }
    }

    func volume(_ name: String) throws(VirtError) -> VolumeRecord {
        guard let record = volumes[name] else {
            throw VirtError(.noStorageVol, .storage, "no storage vol with matching name '\(name)'")
        }
        return record
    }

    /// The volume at a path; most are called like the last part of theirs.
    func volume(path: String) -> StorageVolume? {
        let last = path.split(separator: "/").last.map { String($0) } ?? path
        if let volume = volumes[last]?.volume, volume.target.path == path { return volume }
        return volumes.values.first { $0.volume.target.path == path }?.volume
    }

    var sortedVolumes: [StorageVolume] { volumes.keys.sorted().compactMap { volumes[$0]?.volume } }

    // MARK: Changes

    mutating func put(_ volume: StorageVolume) {
        changes += 1
        volumes[volume.name, default: VolumeRecord(volume: volume)].volume = volume
        volumes[volume.name]?.changed = changes
    }

    mutating func remove(volume name: String) {
        changes += 1
        volumes[name] = nil
    }

    /// Takes over what a refresh found; `since` is the count of changes when it began.
    mutating func take(_ contents: PoolContents, since: UInt64) {
        definition.capacity = contents.capacity
        definition.allocation = contents.allocation
        definition.available = contents.available
        definition.permissions = contents.permissions
        var found: [String: VolumeRecord] = [:]
        for volume in contents.volumes { found[volume.name] = VolumeRecord(volume: volume) }
        for (name, record) in volumes where record.isBusy || record.changed > since { found[name] = record }
        for (name, record) in volumes where !record.isBusy {
            // The header does not name the secrets; the definition that made the volume did.
            let secrets = record.volume.target.encryption?.secrets ?? []
            if !secrets.isEmpty, found[name]?.volume.target.encryption?.secrets.isEmpty == true {
                found[name]?.volume.target.encryption = record.volume.target.encryption
            }
        }
        volumes = found
    }

    /// Moves space between the two counts, within what there is.
    mutating func account(allocated: UInt64) {
        definition.allocation = definition.allocation.addingSaturated(allocated)
        definition.available -= min(definition.available, allocated)
    }

    mutating func account(freed: UInt64) {
        definition.available = definition.available.addingSaturated(freed)
        definition.allocation -= min(definition.allocation, freed)
    }

    /// The pool stops: its volumes and numbers go, and a waiting definition takes effect.
    mutating func deactivate() {
        isActive = false
        volumes = [:]
        definition.capacity = 0
        definition.allocation = 0
        definition.available = 0
        if let next = nextDefinition {
            definition = next
            nextDefinition = nil
        }
    }
}

/// A volume and what is done with it.
struct VolumeRecord: Sendable {
    var volume: StorageVolume
    /// It is being made.
    var isBuilding = false
    /// Copies and streams that use it.
    var uses = 0
    /// The pool's count of changes when it was put in.
    var changed: UInt64 = 0

    init(volume: StorageVolume) { self.volume = volume }

    var isBusy: Bool { isBuilding || uses > 0 }

    func requireBuilt() throws(VirtError) {
        guard !isBuilding else {
            throw VirtError(.operationInvalid, .storage, "volume '\(volume.name)' is still being allocated.")
        }
    }

    func requireIdle() throws(VirtError) {
        guard uses == 0 else {
            throw VirtError(.operationInvalid, .storage, "volume '\(volume.name)' is still in use.")
        }
        try requireBuilt()
    }
}

extension UInt64 {
    func addingSaturated(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
