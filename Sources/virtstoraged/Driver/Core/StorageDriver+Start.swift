import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

// The driver's start: what was, and what shall be.
extension StorageDriver {
    /// Loads state and definitions, takes over the pools that are up, starts those that are to be started at boot.
    func load() async throws {
        try await BlockingPool.shared.run { [files] in
            try FileSystem.makeDirectories(files.stateDirectory, mode: 0o755)
        }
        await loadStates()
        await loadDefinitions()
        await withTaskGroup { group in
            for pool in registry.unsorted where pool.snapshot.isActive { group.addTask { await self.takeOver(pool) } }
        }
        let isDone = try await BlockingPool.shared.run { [files] in try files.markAutostarted() }
        if !isDone { await autostart() }
    }

    /// SIGHUP: new and changed definition files; pools that are to be started at boot and are not.
    func reload() async {
        await loadDefinitions()
        await autostart()
    }

    private func loadStates() async {
        for stored in await read(files.states) {
            do {
                let pool = PoolObject(try StoragePoolStatus.parse(stored.bytes).pool)
                guard pool.name == stored.name else {
                    throw VirtError(
                        .xmlError, .storage,
                        "Storage pool state file '\(stored.name).xml' does not match pool name '\(pool.name)'")
                }
                // Whether it really is up is seen when it is taken over.
                pool.update { $0.isActive = true }
                try registry.insert(pool)
            } catch {
                log.error("pool state '\(stored.name)' is not used: \(VirtError.text(of: error))")
            }
        }
    }

    private func loadDefinitions() async {
        for stored in await read(files.definitions) {
            do {
                let definition = try StoragePool.parse(stored.bytes)
                guard definition.name == stored.name else {
                    throw VirtError(
                        .xmlError, .storage,
                        "Storage pool config filename '\(stored.name).xml' does not match pool name '\(definition.name)'"
                    )
                }
                try await definitions.run { try take(definition, isAutostart: stored.isAutostart) }
            } catch {
                log.error("pool definition '\(stored.name)' is not used: \(VirtError.text(of: error))")
            }
        }
    }

    private func read(_ store: ObjectStore) async -> [ObjectStore.Stored] {
        do {
            return try await BlockingPool.shared.run { try store.load().objects }
        } catch {
            log.error("cannot read '\(store.directory)': \(VirtError.text(of: error))")
            return []
        }
    }

    private func take(_ definition: StoragePool, isAutostart: Bool) throws {
        let existing = try registry.existing(for: definition, mustBeInactive: false)
        let pool = existing ?? PoolObject(definition)
        pool.update { state in
            state.isPersistent = true
            state.isAutostart = isAutostart
            if !state.isActive {
                state.definition = definition
            } else if state.definition.isSameDefinition(as: definition) {
                state.nextDefinition = nil
            } else {
                state.nextDefinition = definition
            }
        }
        if existing == nil { try registry.insert(pool) }
    }

    /// A pool that an earlier daemon left active: it stays so if it is up.
    private func takeOver(_ pool: PoolObject) async {
        let definition = pool.snapshot.definition
        do {
            let backend = try backends.backend(definition.type)
            guard try await backend.isUp(definition) else { return await drop(pool, "it is not up any more") }
            do {
                let contents = try await backend.refresh(definition)
                pool.update { $0.take(contents, since: $0.changes) }
            } catch {
                try? await backend.stop(definition)
                throw error
            }
        } catch {
            await drop(pool, VirtError.text(of: error))
        }
    }

    private func drop(_ pool: PoolObject, _ reason: String) async {
        log.warning("storage pool '\(pool.name)' is inactive now: \(reason)")
        let name = pool.name
        try? await BlockingPool.shared.run { [files] in try files.states.remove(name) }
        pool.update { $0.deactivate() }
        if !pool.snapshot.isPersistent { registry.remove(pool) }
    }

    private func autostart() async {
        let waiting = registry.unsorted.filter { $0.snapshot.isAutostart && !$0.snapshot.isActive }
        // One that hangs (a server that does not answer) keeps no other waiting.
        await withTaskGroup { group in
            for pool in waiting { group.addTask { await self.autostart(pool) } }
        }
    }

    private func autostart(_ pool: PoolObject) async {
        do {
            try await start(pool, flags: 0)
        } catch {
            log.error("Failed to autostart storage pool '\(pool.name)': \(VirtError.text(of: error))")
        }
    }
}

extension StoragePool {
    /// Whether both are the same but for what a running pool finds out.
    func isSameDefinition(as other: StoragePool) -> Bool {
        var (left, right) = (self, other)
        (left.capacity, left.allocation, left.available) = (0, 0, 0)
        (right.capacity, right.allocation, right.available) = (0, 0, 0)
        left.permissions = right.permissions
        return left == right
    }
}

extension VirtError {
    /// Any error's text.
    static func text(of error: any Error) -> String { (error as? VirtError)?.message ?? "\(error)" }
}
