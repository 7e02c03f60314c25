import VirtCore
import VirtModel
import VirtRPC
import VirtWire

extension StorageHandlers {
    func installPoolLookups(into table: inout HandlerTable) {
        let registry = driver.registry
        table.on(RemoteProgram.StoragePoolLookupByName.self) { arguments, _ in
            RemoteStoragePoolLookupByNameRet(pool: Self.wire(try registry.lookUp(name: arguments.name)))
        }
        table.on(RemoteProgram.StoragePoolLookupByUuid.self) { arguments, _ in
            RemoteStoragePoolLookupByUuidRet(pool: Self.wire(try registry.lookUp(arguments.uuid)))
        }
        table.on(RemoteProgram.StoragePoolLookupByVolume.self) { arguments, _ in
            RemoteStoragePoolLookupByVolumeRet(pool: Self.wire(try registry.lookUp(name: arguments.vol.pool)))
        }
        table.on(RemoteProgram.StoragePoolLookupByTargetPath.self) { arguments, _ in
            RemoteStoragePoolLookupByTargetPathRet(pool: Self.wire(try Self.find(registry, target: arguments.path)))
        }
    }

    private static func find(_ registry: PoolRegistry, target path: String) throws(VirtError) -> PoolObject {
        let clean = StoragePath.sanitized(path)
        let pool = registry.unsorted.first { pool in
            let state = pool.snapshot
            return state.isActive && state.definition.targetPath == clean
        }
        guard let pool else {
            throw VirtError(
                .noStoragePool, .storage,
                "no storage pool with matching target path '\(path)'" + (path == clean ? "" : " (\(clean))"))
        }
        return pool
    }

    func installPoolFacts(into table: inout HandlerTable) {
        table.on(RemoteProgram.StoragePoolGetInfo.self) { arguments, _ in
            let state = try pool(arguments.pool).snapshot
            return RemoteStoragePoolGetInfoRet(
                // VIR_STORAGE_POOL_RUNNING or INACTIVE
                state: state.isActive ? 2 : 0, capacity: state.definition.capacity,
                allocation: state.definition.allocation, available: state.definition.available)
        }
        table.on(RemoteProgram.StoragePoolGetXmlDesc.self) { arguments, _ in
            let inactive: UInt32 = 1
            try StorageFlag.check(arguments.flags, allowed: inactive, "storagePoolGetXMLDesc")
            let state = try pool(arguments.pool).snapshot
            let definition = arguments.flags & inactive != 0 ? state.persistentDefinition : state.definition
            return RemoteStoragePoolGetXmlDescRet(xml: try definition.format())
        }
        table.on(RemoteProgram.StoragePoolGetAutostart.self) { arguments, _ in
            RemoteStoragePoolGetAutostartRet(autostart: try pool(arguments.pool).snapshot.isAutostart ? 1 : 0)
        }
        table.on(RemoteProgram.StoragePoolIsActive.self) { arguments, _ in
            RemoteStoragePoolIsActiveRet(active: try pool(arguments.pool).snapshot.isActive ? 1 : 0)
        }
        table.on(RemoteProgram.StoragePoolIsPersistent.self) { arguments, _ in
            RemoteStoragePoolIsPersistentRet(persistent: try pool(arguments.pool).snapshot.isPersistent ? 1 : 0)
        }
    }

    func installPoolChanges(into table: inout HandlerTable) {
        let driver = driver
        table.onAsync(RemoteProgram.StoragePoolDefineXml.self) { arguments, caller in
            let pool = try await seenThrough(on: caller.client.loop) {
                try await driver.define(arguments.xml, flags: arguments.flags)
            }
            return RemoteStoragePoolDefineXmlRet(pool: Self.wire(pool))
        }
        table.onAsync(RemoteProgram.StoragePoolCreateXml.self) { arguments, caller in
            let pool = try await seenThrough(on: caller.client.loop) {
                try await driver.create(arguments.xml, flags: arguments.flags)
            }
            return RemoteStoragePoolCreateXmlRet(pool: Self.wire(pool))
        }
        table.onAsync(RemoteProgram.StoragePoolCreate.self) { arguments, caller in
            try await change(arguments.pool, caller) { try await driver.start($0, flags: arguments.flags) }
        }
        table.onAsync(RemoteProgram.StoragePoolBuild.self) { arguments, caller in
            try await change(arguments.pool, caller) { try await driver.build($0, flags: arguments.flags) }
        }
        table.onAsync(RemoteProgram.StoragePoolDestroy.self) { arguments, caller in
            try await change(arguments.pool, caller) { try await driver.stop($0) }
        }
        table.onAsync(RemoteProgram.StoragePoolDelete.self) { arguments, caller in
            try await change(arguments.pool, caller) { try await driver.delete($0, flags: arguments.flags) }
        }
        table.onAsync(RemoteProgram.StoragePoolUndefine.self) { arguments, caller in
            try await change(arguments.pool, caller) { try await driver.undefine($0) }
        }
        table.onAsync(RemoteProgram.StoragePoolRefresh.self) { arguments, caller in
            try await change(arguments.pool, caller) { try await driver.refresh($0, flags: arguments.flags) }
        }
        table.onAsync(RemoteProgram.StoragePoolSetAutostart.self) { arguments, caller in
            try await change(arguments.pool, caller) { try await driver.setAutostart($0, arguments.autostart != 0) }
        }
    }

    /// Something done to a pool that is seen through even if the client goes away.
    private func change(
        _ handle: RemoteNonnullStoragePool, _ caller: Caller,
        _ body: @escaping @Sendable (PoolObject) async throws -> Void
    ) async throws -> XDRVoid {
        let pool = try pool(handle)
        try await seenThrough(on: caller.client.loop) { try await body(pool) }
        return XDRVoid()
    }
}
