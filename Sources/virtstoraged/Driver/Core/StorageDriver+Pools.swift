import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

// What changes pools. The functions wait for their turn and see their work through.
extension StorageDriver {
    private enum Flag {
        static let validate: UInt32 = 1
        static let buildAtCreate: UInt32 = 1
        static let overwriteAtCreate: UInt32 = 2
        static let noOverwriteAtCreate: UInt32 = 4
    }

    /// STORAGE_POOL_DEFINE_XML
    func define(_ xml: String, flags: UInt32) async throws -> PoolObject {
        try StorageFlag.check(flags, allowed: Flag.validate, "storagePoolDefineXML")
        if flags & Flag.validate != 0 { try await Self.validate(xml, "storagepool", root: "pool") }
        let definition = try StoragePool.parse(Array(xml.utf8))
        _ = try backends.backend(definition.type)
        return try await definitions.run {
            let existing = try registry.existing(for: definition, mustBeInactive: false)
            try await BlockingPool.shared.run { [files] in try files.save(definition) }
            let pool = existing ?? PoolObject(definition)
            pool.update { state in
                state.isPersistent = true
                if state.isActive { state.nextDefinition = definition } else { state.definition = definition }
            }
            if existing == nil { try registry.insert(pool) }
            publish(pool, .defined)
            return pool
        }
    }

    /// STORAGE_POOL_CREATE_XML: starts a pool that is forgotten when it stops, unless it is defined as well.
    func create(_ xml: String, flags: UInt32) async throws -> PoolObject {
        let known = Flag.buildAtCreate | Flag.overwriteAtCreate | Flag.noOverwriteAtCreate
        try StorageFlag.check(flags, allowed: known, "storagePoolCreateXML")
        try Self.checkOverwrite(flags, "STORAGE_POOL_CREATE_WITH_BUILD")
        let definition = try StoragePool.parse(Array(xml.utf8))
        _ = try backends.backend(definition.type)
        let (pool, isNew) = try await definitions.run { () -> (PoolObject, Bool) in
            if let existing = try registry.existing(for: definition, mustBeInactive: true) { return (existing, false) }
            let pool = PoolObject(definition)
            try registry.insert(pool)
            return (pool, true)
        }
        do {
            try await job(pool) {
                if pool.snapshot.isActive {
                    throw VirtError(.operationInvalid, .storage, "pool is already active as '\(pool.name)'")
                }
                pool.update { state in
                    if !isNew, state.nextDefinition == nil { state.nextDefinition = state.definition }
                    state.definition = definition
                }
                try await bringUp(pool, flags: flags)
            }
        } catch {
            pool.update { $0.deactivateIfDown() }
            if isNew { registry.remove(pool) }
            throw error
        }
        publish(pool, .started)
        return pool
    }

    /// STORAGE_POOL_CREATE
    func start(_ pool: PoolObject, flags: UInt32) async throws {
        let known = Flag.buildAtCreate | Flag.overwriteAtCreate | Flag.noOverwriteAtCreate
        try StorageFlag.check(flags, allowed: known, "storagePoolCreate")
        try Self.checkOverwrite(flags, "STORAGE_POOL_CREATE_WITH_BUILD")
        try await job(pool) {
            guard !pool.snapshot.isActive else { throw Self.alreadyActive(pool) }
            try await bringUp(pool, flags: flags)
        }
        publish(pool, .started)
    }

    /// Builds if asked, starts, looks around, and keeps the state; each step is taken back if a later one fails.
    private func bringUp(_ pool: PoolObject, flags: UInt32) async throws {
        let definition = pool.snapshot.definition
        let backend = try backends.backend(definition.type)
        if flags & 7 != 0 {
            let overwrite = flags & Flag.overwriteAtCreate != 0 ? StorageFlag.buildOverwrite : 0
            let keep = flags & Flag.noOverwriteAtCreate != 0 ? StorageFlag.buildNoOverwrite : 0
            try await backend.build(definition, flags: overwrite | keep)
        }
        try await backend.start(definition)
        do {
            let contents = try await backend.refresh(definition)
            try await BlockingPool.shared.run { [files] in try files.saveState(definition) }
            pool.update { state in
                state.volumes = [:]
                state.take(contents, since: state.changes)
                state.isActive = true
            }
        } catch {
            try? await backend.stop(definition)
            throw error
        }
    }

    /// STORAGE_POOL_BUILD
    func build(_ pool: PoolObject, flags: UInt32) async throws {
        try await job(pool) {
            let state = pool.snapshot
            guard !state.isActive else { throw Self.alreadyActive(pool) }
            try await backends.backend(state.definition.type).build(state.definition, flags: flags)
        }
        publish(pool, .created)
    }

    /// STORAGE_POOL_DESTROY
    func stop(_ pool: PoolObject) async throws {
        try await job(pool) {
            let state = pool.snapshot
            try state.requireActive()
            try state.requireNoLongJobs()
            try await backends.backend(state.definition.type).stop(state.definition)
            let name = pool.name
            try? await BlockingPool.shared.run { [files] in try files.states.remove(name) }
            pool.update { $0.deactivate() }
            if !state.isPersistent { registry.remove(pool) }
        }
        publish(pool, .stopped)
    }

    /// STORAGE_POOL_UNDEFINE
    func undefine(_ pool: PoolObject) async throws {
        try await definitions.run {
            try await job(pool) {
                let state = pool.snapshot
                try state.requireInactive()
                try state.requireNoLongJobs()
                let name = pool.name
                try await BlockingPool.shared.run { [files] in try files.definitions.remove(name) }
                registry.remove(pool)
            }
        }
        publish(pool, .undefined)
    }

    /// STORAGE_POOL_DELETE
    func delete(_ pool: PoolObject, flags: UInt32) async throws {
        try await job(pool) {
            let state = pool.snapshot
            try state.requireInactive()
            try state.requireNoLongJobs()
            try await backends.backend(state.definition.type).delete(state.definition, flags: flags)
        }
        publish(pool, .deleted)
    }

    /// STORAGE_POOL_REFRESH. Volumes that are made or filled meanwhile stay as they are.
    func refresh(_ pool: PoolObject, flags: UInt32 = 0) async throws {
        try StorageFlag.check(flags, allowed: 0, "storagePoolRefresh")
        do {
            try await job(pool) { try await lookAround(pool) }
        } catch {
            // A pool that cannot be looked at any more is not active.
            if pool.snapshot.isRemoved { registry.remove(pool) }
            throw error
        }
        publishRefresh(pool)
    }

    private func lookAround(_ pool: PoolObject) async throws {
        let state = pool.snapshot
        try state.requireActive()
        let backend = try backends.backend(state.definition.type)
        do {
            let contents = try await backend.refresh(state.definition)
            pool.update { $0.take(contents, since: state.changes) }
        } catch {
            guard state.longJobs == 0 else { throw error }
            try? await backend.stop(state.definition)
            let name = pool.name
            try? await BlockingPool.shared.run { [files] in try files.states.remove(name) }
            pool.update { $0.deactivate() }
            if !state.isPersistent { registry.remove(pool) }
            publish(pool, .stopped)
            throw error
        }
    }

    /// STORAGE_POOL_SET_AUTOSTART
    func setAutostart(_ pool: PoolObject, _ isOn: Bool) async throws {
        try await job(pool) {
            guard pool.snapshot.isPersistent else {
                throw VirtError(.internalError, .storage, "pool has no config file")
            }
            let name = pool.name
            try await BlockingPool.shared.run { [files] in try files.definitions.setAutostart(name, isOn) }
            pool.update { $0.isAutostart = isOn }
        }
    }

    private static func alreadyActive(_ pool: PoolObject) -> VirtError {
        VirtError(.operationInvalid, .storage, "storage pool '\(pool.name)' is already active")
    }

    private static func checkOverwrite(_ flags: UInt32, _ name: String) throws(VirtError) {
        let both = Flag.overwriteAtCreate | Flag.noOverwriteAtCreate
        guard flags & both == both else { return }
        let prefix = "VIR_\(name)"
        throw VirtError(
            code: .invalidArg, domain: .storage,
            verbatim: "Flags '\(prefix)_OVERWRITE' and '\(prefix)_NO_OVERWRITE' are mutually exclusive")
    }
}

extension PoolState {
    /// After a start that failed: a definition that was set aside comes back.
    mutating func deactivateIfDown() {
        if !isActive { deactivate() }
    }
}
