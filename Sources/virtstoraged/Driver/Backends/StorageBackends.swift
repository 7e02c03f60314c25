import VirtCore
import VirtModel

/// The pool types that this daemon serves.
struct StorageBackends: Sendable {
    private let table: [StoragePoolType: any StorageBackend]

    /// - Parameter environment: what backends need of the daemon.
    init(_ environment: BackendEnvironment) {
        table = [
            .dir: DirectoryBackend(environment, mount: nil),
            .fs: DirectoryBackend(environment, mount: .device),
            .netfs: DirectoryBackend(environment, mount: .network),
            .logical: DefinitionBackend(.logical),
            .disk: DefinitionBackend(.disk),
            .iscsi: DefinitionBackend(.iscsi),
            .scsi: DefinitionBackend(.scsi),
            .mpath: DefinitionBackend(.mpath),
        ]
    }

    /// Tests bring their own.
    init(_ table: [StoragePoolType: any StorageBackend]) { self.table = table }

    var types: Set<StoragePoolType> { Set(table.keys) }

    /// The backend of a type; libvirt's error where there is none.
    func backend(_ type: StoragePoolType) throws(VirtError) -> any StorageBackend {
        guard let backend = table[type] else {
            throw VirtError(
                .internalError, .storage, "missing backend for pool type \(type.number) (\(type.rawValue))")
        }
        return backend
    }
}

/// What backends need of the daemon.
struct BackendEnvironment: Sendable {
    /// Where secrets for qemu-img are put: /run/libvirt/storage.
    var stateDirectory: String
    /// Looks up the passphrase of a volume.
    var secrets: @Sendable (StorageSecret) async throws -> [UInt8]
    /// Runs a program; tests look at what is run.
    var tools: any ToolRunner
}

/// A type whose pools can be defined and listed but not started yet.
struct DefinitionBackend: StorageBackend {
    private let type: StoragePoolType

    init(_ type: StoragePoolType) { self.type = type }

    private var unsupported: VirtError {
        VirtError(
            .noSupport, .storage, "pools of type '\(type.rawValue)' can be defined but not used with this daemon yet")
    }

    func build(_ pool: StoragePool, flags: UInt32) async throws { throw unsupported }
    func isUp(_ pool: StoragePool) async throws -> Bool { false }
    func start(_ pool: StoragePool) async throws { throw unsupported }
    func refresh(_ pool: StoragePool) async throws -> PoolContents { throw unsupported }

    func findSources(_ specification: String?) async throws -> String {
        switch type {
        case .logical: return try StorageSources.none(specification, type)
        case .iscsi:
            guard try StorageSources.host(specification, type) != nil else {
                throw VirtError(.invalidArg, .storage, "hostname must be specified for iscsi sources")
            }
            throw unsupported
        default: throw StorageSources.unsupported(type)
        }
    }
}

/// The search for what could be made a pool.
enum StorageSources {
    static func unsupported(_ type: StoragePoolType) -> VirtError {
        VirtError(.noSupport, .storage, "pool type '\(type.rawValue)' does not support source discovery")
    }

    /// An empty document.
    static func none(_ specification: String?, _ type: StoragePoolType) throws -> String {
        if let specification { _ = try StoragePool.parseSource(specification, type) }
        return "<sources>\n</sources>\n"
    }

    /// The host that is to be searched.
    static func host(_ specification: String?, _ type: StoragePoolType) throws -> String? {
        guard let specification else { return nil }
        return try StoragePool.parseSource(specification, type).hosts.first?.name
    }
}
