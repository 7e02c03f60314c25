import Synchronization
import VirtCore
import VirtModel

/// All pools by UUID and by name.
final class PoolRegistry: Sendable {
    private struct State {
        var byUUID: [UUID: PoolObject] = [:]
        var byName: [String: PoolObject] = [:]
    }
    private let state = Mutex(State())

    /// All pools, by name.
    var all: [PoolObject] { unsorted.sorted { $0.name < $1.name } }

    /// All pools, for looking through.
    var unsorted: [PoolObject] { state.withLock { Array($0.byName.values) } }

    func find(_ uuid: UUID) -> PoolObject? { state.withLock { $0.byUUID[uuid] } }
    func find(name: String) -> PoolObject? { state.withLock { $0.byName[name] } }

    func lookUp(_ uuid: UUID) throws(VirtError) -> PoolObject {
        guard let pool = find(uuid) else {
            throw VirtError(.noStoragePool, .storage, "no storage pool with matching uuid '\(uuid)'")
        }
        return pool
    }

    /// A client's handle; the error tells the name that it knew.
    func lookUp(_ uuid: UUID, knownAs name: String) throws(VirtError) -> PoolObject {
        guard let pool = find(uuid) else {
            throw VirtError(.noStoragePool, .storage, "no storage pool with matching uuid '\(uuid)' (\(name))")
        }
        return pool
    }

    func lookUp(name: String) throws(VirtError) -> PoolObject {
        guard let pool = find(name: name) else {
            throw VirtError(.noStoragePool, .storage, "no storage pool with matching name '\(name)'")
        }
        return pool
    }

    /// Adds a pool unless its name or UUID is taken.
    func insert(_ pool: PoolObject) throws(VirtError) {
        let isFree = state.withLock { state in
            guard state.byUUID[pool.uuid] == nil, state.byName[pool.name] == nil else { return false }
            state.byUUID[pool.uuid] = pool
            state.byName[pool.name] = pool
            return true
        }
        guard isFree else {
            throw VirtError(
                .operationFailed, .storage, "pool '\(pool.name)' already exists with uuid \(pool.uuid)")
        }
    }

    func remove(_ pool: PoolObject) {
        pool.update { $0.isRemoved = true }
        state.withLock { state in
            guard state.byUUID[pool.uuid] === pool else { return }
            state.byUUID[pool.uuid] = nil
            state.byName[pool.name] = nil
        }
    }

    /// The pool that a new definition is for; nil: it is a new pool. Names, UUIDs and sources belong to one pool each.
    ///
    /// - Parameter mustBeInactive: the definition is to be started.
    func existing(for definition: StoragePool, mustBeInactive: Bool) throws(VirtError) -> PoolObject? {
        try checkSource(definition)
        if let pool = find(definition.uuid) {
            guard pool.name == definition.name else {
                throw VirtError(
                    .operationFailed, .storage, "pool '\(pool.name)' is already defined with uuid \(pool.uuid)")
            }
            if mustBeInactive, pool.snapshot.isActive {
                throw VirtError(.operationInvalid, .storage, "pool is already active as '\(pool.name)'")
            }
            return pool
        }
        if let pool = find(name: definition.name) {
            throw VirtError(
                .operationFailed, .storage, "pool '\(pool.name)' already exists with uuid \(pool.uuid)")
        }
        return nil
    }

    private func checkSource(_ definition: StoragePool) throws(VirtError) {
        for pool in unsorted where pool.name != definition.name {
            guard pool.update({ $0.definition.sharesSource(with: definition) }) else { continue }
            throw VirtError(.operationFailed, .storage, "Storage source conflict with pool: '\(pool.name)'")
        }
    }
}

extension StoragePool {
    /// Whether both pools would manage the same space.
    func sharesSource(with other: StoragePool) -> Bool {
        guard type == other.type else { return false }
        let devices = Set(source.devices.compactMap { $0.path })
        let sharesDevice = other.source.devices.contains { $0.path.map { devices.contains($0) } ?? false }
        switch type {
        case .dir, .vstorage: return targetPath == other.targetPath
        case .gluster:
            return source.directory == other.source.directory && source.name == other.source.name
                && sharesHost(with: other)
        case .netfs: return source.directory == other.source.directory && sharesHost(with: other)
        case .scsi: return source.adapter == other.source.adapter
        case .iscsi, .iscsiDirect:
            return sharesDevice && sharesHost(with: other) && source.initiator == other.source.initiator
        case .fs, .logical, .disk, .zfs: return sharesDevice
        case .rbd, .sheepdog: return source.name == other.source.name && source.hosts == other.source.hosts
        case .mpath: return true
        }
    }

    private func sharesHost(with other: StoragePool) -> Bool {
        guard source.hosts.count == 1, other.source.hosts.count == 1 else { return false }
        return source.hosts[0] == other.source.hosts[0]
    }
}
