import VirtCore
import VirtModel
import VirtOS
import VirtRPC

let log = Logger("storage.driver")

/// The storage driver: its pools, where they are kept, and who wants to hear of them.
final class StorageDriver: Sendable {
    let registry = PoolRegistry()
    let backends: StorageBackends
    let files: StorageFiles
    let events = EventHub<StorageEvent>()
    /// New names come one at a time.
    let definitions = JobLock()

    init(files: StorageFiles, backends: StorageBackends) {
        self.files = files
        self.backends = backends
    }

    func backend(of pool: PoolObject) throws(VirtError) -> any StorageBackend {
        try backends.backend(pool.snapshot.definition.type)
    }

    /// Runs a job on a pool that is still there when its turn comes.
    nonisolated(nonsending) func job<T: Sendable>(
        _ pool: PoolObject, _ body: () async throws -> T
    ) async throws -> T {
        try await pool.jobs.run {
            guard !pool.snapshot.isRemoved else {
                throw VirtError(
                    .noStoragePool, .storage, "no storage pool with matching uuid '\(pool.uuid)' (\(pool.name))")
            }
            return try await body()
        }
    }

    func publish(_ pool: PoolObject, _ lifecycle: StorageEvent.Lifecycle) {
        events.publish(StorageEvent(name: pool.name, uuid: pool.uuid, kind: .lifecycle(lifecycle)))
    }

    func publishRefresh(_ pool: PoolObject) {
        events.publish(StorageEvent(name: pool.name, uuid: pool.uuid, kind: .refresh))
    }
}

/// Something that happened to a pool.
struct StorageEvent: Sendable, Equatable {
    /// VIR_STORAGE_POOL_EVENT_*
    enum Lifecycle: Int32, Sendable {
        case defined, undefined, started, stopped, created, deleted
    }

    enum Kind: Sendable, Equatable {
        case lifecycle(Lifecycle)
        case refresh
    }

    let name: String
    let uuid: UUID
    let kind: Kind
}
