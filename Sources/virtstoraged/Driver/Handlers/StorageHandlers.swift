import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// The procedures STORAGE_*: between the wire's structures and the driver.
struct StorageHandlers: Sendable {
    let driver: StorageDriver

    init(_ driver: StorageDriver) { self.driver = driver }

    func install(into table: inout HandlerTable) {
        installLists(into: &table)
        installPoolLookups(into: &table)
        installPoolFacts(into: &table)
        installPoolChanges(into: &table)
        installVolumeLookups(into: &table)
        installVolumeChanges(into: &table)
        installStreams(into: &table)
        installEvents(into: &table)
    }

    // MARK: Handles

    static func wire(_ pool: PoolObject) -> RemoteNonnullStoragePool {
        RemoteNonnullStoragePool(name: pool.name, uuid: pool.uuid)
    }

    static func wire(_ volume: StorageVolume, _ pool: String) -> RemoteNonnullStorageVol {
        RemoteNonnullStorageVol(pool: pool, name: volume.name, key: volume.key ?? volume.target.path)
    }

    func pool(_ handle: RemoteNonnullStoragePool) throws(VirtError) -> PoolObject {
        try driver.registry.lookUp(handle.uuid, knownAs: handle.name)
    }

    /// The pool of a volume that is there now.
    func pool(of handle: RemoteNonnullStorageVol) throws(VirtError) -> PoolObject {
        let pool = try driver.registry.lookUp(name: handle.pool)
        let state = pool.snapshot
        try state.requireActive()
        _ = try state.volume(handle.name)
        return pool
    }

    /// A client's count of names that it has room for.
    static func limit(_ names: [String], _ most: Int32, _ what: String, _ largest: Int32) throws(VirtError) -> [String]
    {
        guard most >= 0, most <= largest else {
            throw VirtError(.rpc, .rpc, "too many \(what) '\(most)' for limit '\(largest)'")
        }
        return Array(names.prefix(Int(most)))
    }
}
