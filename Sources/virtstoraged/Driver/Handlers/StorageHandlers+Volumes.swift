import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

extension StorageHandlers {
    private static let largestVolumeList: Int32 = 16384

    func installVolumeLookups(into table: inout HandlerTable) {
        installVolumeLists(into: &table)
        let registry = driver.registry
        table.on(RemoteProgram.StorageVolLookupByName.self) { arguments, _ in
            let pool = try pool(arguments.pool)
            let state = pool.snapshot
            try state.requireActive()
            return RemoteStorageVolLookupByNameRet(vol: Self.wire(try state.volume(arguments.name).volume, pool.name))
        }
        table.on(RemoteProgram.StorageVolLookupByKey.self) { arguments, _ in
            let found = Self.search(registry) { state in
                state.volume(path: arguments.key)
                    ?? state.volumes.values.first { $0.volume.key == arguments.key }?.volume
            }
            guard let (volume, pool) = found else {
                throw VirtError(.noStorageVol, .storage, "no storage vol with matching key \(arguments.key)")
            }
            return RemoteStorageVolLookupByKeyRet(vol: Self.wire(volume, pool))
        }
        table.on(RemoteProgram.StorageVolLookupByPath.self) { arguments, _ in
            let clean = StoragePath.sanitized(arguments.path)
            guard let (volume, pool) = Self.search(registry, { $0.volume(path: clean) }) else {
                let also = clean == arguments.path ? "" : " (\(clean))"
                throw VirtError(
                    .noStorageVol, .storage, "no storage vol with matching path '\(arguments.path)'\(also)")
            }
            return RemoteStorageVolLookupByPathRet(vol: Self.wire(volume, pool))
        }
        table.on(RemoteProgram.StorageVolGetPath.self) { arguments, _ in
            let volume = try pool(of: arguments.vol).snapshot.volume(arguments.vol.name).volume
            return RemoteStorageVolGetPathRet(name: volume.target.path)
        }
    }

    private static func search(
        _ registry: PoolRegistry, _ body: (PoolState) -> StorageVolume?
    ) -> (StorageVolume, String)? {
        for pool in registry.unsorted {
            let state = pool.snapshot
            if state.isActive, let volume = body(state) { return (volume, pool.name) }
        }
        return nil
    }

    private func installVolumeLists(into table: inout HandlerTable) {
        table.on(RemoteProgram.StoragePoolNumOfVolumes.self) { arguments, _ in
            RemoteStoragePoolNumOfVolumesRet(num: Int32(clamping: try volumes(arguments.pool).count))
        }
        table.on(RemoteProgram.StoragePoolListVolumes.self) { arguments, _ in
            let names = try volumes(arguments.pool).map { $0.name }
            return RemoteStoragePoolListVolumesRet(
                names: try Self.limit(names, arguments.maxnames, "volumes", Self.largestVolumeList))
        }
        table.on(RemoteProgram.StoragePoolListAllVolumes.self) { arguments, _ in
            try StorageFlag.check(arguments.flags, allowed: 0, "storagePoolListAllVolumes")
            let found = try volumes(arguments.pool)
            let name = arguments.pool.name
            return RemoteStoragePoolListAllVolumesRet(
                vols: arguments.needResults != 0 ? found.map { Self.wire($0, name) } : [],
                ret: UInt32(clamping: found.count))
        }
    }

    private func volumes(_ handle: RemoteNonnullStoragePool) throws(VirtError) -> [StorageVolume] {
        let state = try pool(handle).snapshot
        try state.requireActive()
        return state.sortedVolumes
    }

    // MARK: Facts that are looked up on disk, and changes

    func installVolumeChanges(into table: inout HandlerTable) {
        installVolumeFacts(into: &table)
        let driver = driver
        table.onAsync(RemoteProgram.StorageVolCreateXml.self) { arguments, caller in
            let pool = try pool(arguments.pool)
            let volume = try await seenThrough(on: caller.client.loop) {
                try await driver.createVolume(pool, arguments.xml, flags: arguments.flags)
            }
            return RemoteStorageVolCreateXmlRet(vol: Self.wire(volume, pool.name))
        }
        table.onAsync(RemoteProgram.StorageVolCreateXmlFrom.self) { arguments, caller in
            let pool = try pool(arguments.pool)
            let source = try driver.registry.lookUp(name: arguments.clonevol.pool)
            let volume = try await seenThrough(on: caller.client.loop) {
                try await driver.cloneVolume(
                    pool, arguments.xml, from: (source, arguments.clonevol.name), flags: arguments.flags)
            }
            return RemoteStorageVolCreateXmlFromRet(vol: Self.wire(volume, pool.name))
        }
        table.onAsync(RemoteProgram.StorageVolDelete.self) { arguments, caller in
            try await change(arguments.vol, caller) {
                try await driver.deleteVolume($0, arguments.vol.name, flags: arguments.flags)
            }
        }
        table.onAsync(RemoteProgram.StorageVolResize.self) { arguments, caller in
            try await change(arguments.vol, caller) {
                try await driver.resizeVolume(
                    $0, arguments.vol.name, capacity: arguments.capacity, flags: arguments.flags)
            }
        }
        table.onAsync(RemoteProgram.StorageVolWipe.self) { arguments, caller in
            try await change(arguments.vol, caller) {
                try await driver.wipeVolume($0, arguments.vol.name, algorithm: 0, flags: arguments.flags)
            }
        }
        table.onAsync(RemoteProgram.StorageVolWipePattern.self) { arguments, caller in
            try await change(arguments.vol, caller) {
                try await driver.wipeVolume(
                    $0, arguments.vol.name, algorithm: arguments.algorithm, flags: arguments.flags)
            }
        }
    }

    private func installVolumeFacts(into table: inout HandlerTable) {
        let driver = driver
        table.onAsync(RemoteProgram.StorageVolGetXmlDesc.self) { arguments, _ in
            try StorageFlag.check(arguments.flags, allowed: 0, "storageVolGetXMLDesc")
            let volume = try await driver.currentVolume(pool(of: arguments.vol), arguments.vol.name)
            return RemoteStorageVolGetXmlDescRet(xml: try volume.format())
        }
        table.onAsync(RemoteProgram.StorageVolGetInfo.self) { arguments, _ in
            let volume = try await driver.currentVolume(pool(of: arguments.vol), arguments.vol.name)
            return RemoteStorageVolGetInfoRet(
                type: Int8(clamping: volume.kind.number), capacity: volume.capacity ?? 0,
                allocation: volume.allocation ?? 0)
        }
        table.onAsync(RemoteProgram.StorageVolGetInfoFlags.self) { arguments, _ in
            let physical: UInt32 = 1
            try StorageFlag.check(arguments.flags, allowed: physical, "storageVolGetInfoFlags")
            let volume = try await driver.currentVolume(pool(of: arguments.vol), arguments.vol.name)
            let allocation = arguments.flags & physical != 0 ? volume.physical : volume.allocation ?? 0
            return RemoteStorageVolGetInfoFlagsRet(
                type: Int8(clamping: volume.kind.number), capacity: volume.capacity ?? 0, allocation: allocation)
        }
    }

    /// Something done to a volume that is seen through even if the client goes away.
    private func change(
        _ handle: RemoteNonnullStorageVol, _ caller: Caller,
        _ body: @escaping @Sendable (PoolObject) async throws -> Void
    ) async throws -> XDRVoid {
        let pool = try pool(of: handle)
        try await seenThrough(on: caller.client.loop) { try await body(pool) }
        return XDRVoid()
    }

    // MARK: Streams

    func installStreams(into table: inout HandlerTable) {
        let driver = driver
        let sparse: UInt32 = 1
        table.onStream(RemoteProgram.StorageVolUpload.self) { arguments, caller in
            let range = try StorageDriver.Range(offset: arguments.offset, length: arguments.length)
            let run = try await driver.upload(
                pool(of: arguments.vol), arguments.vol.name, range, flags: arguments.flags, on: caller.client.loop)
            return StreamStart(XDRVoid(), isSparse: arguments.flags & sparse != 0, run: run)
        }
        table.onStream(RemoteProgram.StorageVolDownload.self) { arguments, _ in
            let range = try StorageDriver.Range(offset: arguments.offset, length: arguments.length)
            let run = try await driver.download(
                pool(of: arguments.vol), arguments.vol.name, range, flags: arguments.flags)
            return StreamStart(XDRVoid(), isSparse: arguments.flags & sparse != 0, run: run)
        }
    }
}
