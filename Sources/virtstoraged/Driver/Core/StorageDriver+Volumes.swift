import VirtCore
import VirtModel
import VirtOS
import VirtXML

// What makes and changes volumes.
extension StorageDriver {
    /// STORAGE_VOL_CREATE_XML. Making it does not keep the pool's other jobs waiting.
    func createVolume(_ pool: PoolObject, _ xml: String, flags: UInt32) async throws -> StorageVolume {
        let known = StorageFlag.createPreallocateMetadata | StorageFlag.createValidate
        try StorageFlag.check(flags, allowed: known, "storageVolCreateXML")
        let state = pool.snapshot
        try state.requireActive()
        try await Self.validateVolume(xml, flags)
        let volume = try StorageVolume.parse(Array(xml.utf8), .neededWithoutBacking)
        let backend = try backends.backend(state.definition.type)
        let placed = try await reserve(pool, volume.withAllocation) {
            VirtError(.storageVolExist, .storage, "'\(volume.name)'")
        }
        return try await make(pool, placed) { try await backend.create(placed, in: $0, flags: flags) }
    }

    private static func validateVolume(_ xml: String, _ flags: UInt32) async throws {
        if flags & StorageFlag.createValidate != 0 { try await validate(xml, "storagevol", root: "volume") }
    }

    /// Checks a document as clients ask for.
    static func validate(_ xml: String, _ schema: String, root: String) async throws {
        try await BlockingPool.shared.run {
            try XMLSchema.check(xml, schema, root: root, name: "storage_\(root)_definition", domain: .storage)
        }
    }

    /// STORAGE_VOL_CREATE_XML_FROM
    func cloneVolume(
        _ pool: PoolObject, _ xml: String, from source: (pool: PoolObject, name: String), flags: UInt32
    ) async throws -> StorageVolume {
        let known =
            StorageFlag.createPreallocateMetadata | StorageFlag.createReflink | StorageFlag.createValidate
        try StorageFlag.check(flags, allowed: known, "storageVolCreateXMLFrom")
        try pool.snapshot.requireActive()
        try source.pool.snapshot.requireActive()
        try await Self.validateVolume(xml, flags)
        let origin = try source.pool.snapshot.volume(source.name)
        var volume = try StorageVolume.parse(Array(xml.utf8), .optional)
        try origin.requireBuilt()
        volume.capacity = max(volume.capacity ?? 0, origin.volume.capacity ?? 0)
        let backend = try backends.backend(pool.snapshot.definition.type)
        let name = volume.name
        let placed = try await reserve(pool, volume.withAllocation) {
            VirtError(.internalError, .storage, "storage volume name '\(name)' already in use.")
        }
        return try await make(pool, placed.withoutBacking) { [self] definition in
            try await using(source.pool, source.name) { original in
                try await backend.create(placed, from: original, in: definition, flags: flags)
            }
        }
    }

    /// Finds the new volume's place and takes its name.
    private func reserve(
        _ pool: PoolObject, _ volume: StorageVolume, taken: () -> VirtError
    ) async throws -> StorageVolume {
        let state = pool.snapshot
        if state.volumes[volume.name] != nil { throw taken() }
        let placed = try await backends.backend(state.definition.type).place(volume, in: state.definition)
        let isFree = try pool.update { state in
            try state.requireActive()
            guard state.volumes[volume.name] == nil else { return false }
            state.put(placed)
            state.volumes[volume.name]?.isBuilding = true
            state.longJobs += 1
            return true
        }
        guard isFree else { throw taken() }
        return placed
    }

    /// Makes a reserved volume; if it fails, its name is free again.
    private func make(
        _ pool: PoolObject, _ volume: StorageVolume, _ body: (StoragePool) async throws -> Void
    ) async throws -> StorageVolume {
        let definition = pool.snapshot.definition
        do {
            try await body(definition)
            let made = try await backends.backend(definition.type).update(volume, in: definition)
            pool.update { state in
                state.longJobs -= 1
                state.put(made)
                state.volumes[volume.name]?.isBuilding = false
                state.account(allocated: made.allocation ?? 0)
            }
            return made
        } catch {
            pool.update { state in
                state.longJobs -= 1
                state.remove(volume: volume.name)
            }
            throw error
        }
    }

    /// Runs `body` on a volume that nobody deletes or changes meanwhile.
    ///
    /// - Parameter alone: nobody else may be using it.
    func using<T: Sendable>(
        _ pool: PoolObject, _ name: String, alone: Bool = false, _ body: (StorageVolume) async throws -> T
    ) async throws -> T {
        let volume = try beginUse(pool, name, alone: alone)
        defer { endUse(pool, name) }
        return try await body(volume)
    }

    func beginUse(_ pool: PoolObject, _ name: String, alone: Bool) throws -> StorageVolume {
        try pool.update { state in
            try state.requireActive()
            let record = try state.volume(name)
            if alone { try record.requireIdle() } else { try record.requireBuilt() }
            state.volumes[name]?.uses += 1
            state.longJobs += 1
            return record.volume
        }
    }

    func endUse(_ pool: PoolObject, _ name: String) {
        pool.update { state in
            state.longJobs -= 1
            state.volumes[name]?.uses -= 1
        }
    }

    /// STORAGE_VOL_DELETE
    func deleteVolume(_ pool: PoolObject, _ name: String, flags: UInt32) async throws {
        try await job(pool) {
            let state = pool.snapshot
            try state.requireActive()
            let record = try state.volume(name)
            try record.requireIdle()
            let definition = state.definition
            try await backends.backend(definition.type).delete(record.volume, in: definition, flags: flags)
            pool.update { state in
                state.remove(volume: name)
                state.account(freed: record.volume.allocation ?? 0)
            }
        }
    }

    /// STORAGE_VOL_RESIZE
    func resizeVolume(_ pool: PoolObject, _ name: String, capacity: UInt64, flags: UInt32) async throws {
        let known = StorageFlag.resizeAllocate | StorageFlag.resizeDelta | StorageFlag.resizeShrink
        try StorageFlag.check(flags, allowed: known, "storageVolResize")
        try await job(pool) {
            let state = pool.snapshot
            try state.requireActive()
            let record = try state.volume(name)
            try record.requireIdle()
            let target = try Self.newCapacity(record.volume, capacity, flags, state.definition)
            let backend = try backends.backend(state.definition.type)
            try await backend.resize(
                record.volume, to: target, in: state.definition, flags: flags & ~StorageFlag.resizeDelta)
            pool.update { state in
                guard var volume = state.volumes[name]?.volume else { return }
                let growth = target.subtractingReportingOverflow(volume.capacity ?? 0)
                volume.capacity = target
                if flags & StorageFlag.resizeAllocate != 0 {
                    volume.allocation = target
                    if !growth.overflow { state.account(allocated: growth.partialValue) }
                }
                state.put(volume)
            }
        }
    }

    private static func newCapacity(
        _ volume: StorageVolume, _ capacity: UInt64, _ flags: UInt32, _ pool: StoragePool
    ) throws(VirtError) -> UInt64 {
        let current = volume.capacity ?? 0
        let shrinks = flags & StorageFlag.resizeShrink != 0
        var target = capacity
        if flags & StorageFlag.resizeDelta != 0 {
            target = shrinks ? current - min(capacity, current) : current.addingSaturated(capacity)
        }
        if target < volume.allocation ?? 0 {
            throw VirtError(.invalidArg, .storage, "can't shrink capacity below existing allocation")
        }
        if target < current, !shrinks {
            throw VirtError(
                .invalidArg, .storage,
                "Can't shrink capacity below current capacity unless shrink flag explicitly specified")
        }
        if flags & StorageFlag.resizeAllocate != 0, target > current.addingSaturated(pool.available) {
            throw VirtError(.operationFailed, .storage, "Not enough space left in storage pool")
        }
        return target
    }

    /// STORAGE_VOL_WIPE_PATTERN
    func wipeVolume(_ pool: PoolObject, _ name: String, algorithm: UInt32, flags: UInt32) async throws {
        try StorageFlag.check(flags, allowed: 0, "storageVolWipePattern")
        guard let algorithm = WipeAlgorithm(rawValue: algorithm) else {
            throw VirtError(.invalidArg, .storage, "wiping algorithm \(algorithm) not supported")
        }
        let definition = pool.snapshot.definition
        let backend = try backends.backend(definition.type)
        try await using(pool, name, alone: true) { volume in
            try await backend.wipe(volume, algorithm)
            // It may have been an image of some format; it is not any more.
            let now = try await backend.probe(volume, in: definition)
            pool.update { $0.put(now) }
        }
    }

    /// The volume with its sizes, times and owners as they are now.
    func currentVolume(_ pool: PoolObject, _ name: String) async throws -> StorageVolume {
        // Only what is needed is taken out: a whole state that is held makes the next change copy all volumes.
        let (definition, record) = try pool.update { state in
            try state.requireActive()
            return (state.definition, try state.volume(name))
        }
        if record.isBuilding { return record.volume }
        let now = try await backends.backend(definition.type).update(record.volume, in: definition)
        guard now != record.volume else { return now }
        pool.update { state in
            if state.volumes[name]?.isBuilding == false { state.volumes[name]?.volume = now }
        }
        return now
    }
}

extension StorageVolume {
    /// A volume that says nothing of its allocation gets space for all of it.
    var withAllocation: StorageVolume {
        var copy = self
        if copy.allocation == nil { copy.allocation = copy.capacity }
        return copy
    }
}
