import VirtCore
import VirtModel

/// What a pool type does with pools and volumes of its kind.
///
/// A new type is one file with a type that conforms, and one line in `StorageBackends`. What a type leaves out answers
/// with libvirt's error for it. Methods may take their time: they are called in jobs, never on a loop's own turn.
protocol StorageBackend: Sendable {
    /// Makes what the pool is to live in.
    func build(_ pool: StoragePool, flags: UInt32) async throws
    /// Whether the pool is up, seen from outside: asked when a daemon takes over.
    func isUp(_ pool: StoragePool) async throws -> Bool
    func start(_ pool: StoragePool) async throws
    func stop(_ pool: StoragePool) async throws
    /// The pool's sizes and permissions, and all its volumes.
    func refresh(_ pool: StoragePool) async throws -> PoolContents
    func delete(_ pool: StoragePool, flags: UInt32) async throws
    /// A `<sources>` document of what could be made a pool.
    func findSources(_ specification: String?) async throws -> String

    /// Fills in path, key and kind of a volume that is to be made, and refuses it if its place is taken.
    func place(_ volume: StorageVolume, in pool: StoragePool) async throws -> StorageVolume
    /// Makes a volume that was placed; on failure nothing of it is left.
    func create(_ volume: StorageVolume, in pool: StoragePool, flags: UInt32) async throws
    /// Makes a volume that was placed, with the content of another one.
    func create(
        _ volume: StorageVolume, from source: StorageVolume, in pool: StoragePool, flags: UInt32) async throws
    /// What has changed of a volume's sizes, times and owners.
    func update(_ volume: StorageVolume, in pool: StoragePool) async throws -> StorageVolume
    /// The volume as it is found, when its content may have become something else.
    func probe(_ volume: StorageVolume, in pool: StoragePool) async throws -> StorageVolume
    func delete(_ volume: StorageVolume, in pool: StoragePool, flags: UInt32) async throws
    func resize(_ volume: StorageVolume, to capacity: UInt64, in pool: StoragePool, flags: UInt32) async throws
    func wipe(_ volume: StorageVolume, _ algorithm: WipeAlgorithm) async throws
    /// Opens a volume's content for a stream.
    func open(_ volume: StorageVolume, forWriting: Bool) async throws -> VolumeFile
}

/// What a refresh finds.
struct PoolContents: Sendable {
    var capacity: UInt64 = 0
    var allocation: UInt64 = 0
    var available: UInt64 = 0
    var permissions = StoragePermissions()
    var volumes: [StorageVolume] = []
}

/// VIR_STORAGE_VOL_WIPE_ALG_*
enum WipeAlgorithm: UInt32, Sendable {
    case zero, nnsa, dod, bsi, gutmann, schneier, pfitzner7, pfitzner33, random, trim

    /// The pattern's name for scrub(1); nil for what is done without it.
    var scrubPattern: String? {
        switch self {
        case .zero, .trim: nil
        case .nnsa: "nnsa"
        case .dod: "dod"
        case .bsi: "bsi"
        case .gutmann: "gutmann"
        case .schneier: "schneier"
        case .pfitzner7: "pfitzner7"
        case .pfitzner33: "pfitzner33"
        case .random: "random"
        }
    }
}

/// Flags of the calls, as far as backends look at them.
enum StorageFlag {
    static let buildNoOverwrite: UInt32 = 4
    static let buildOverwrite: UInt32 = 8
    static let createPreallocateMetadata: UInt32 = 1
    static let createReflink: UInt32 = 2
    /// Asks for a look at the schema first; what is read is checked in any case.
    static let createValidate: UInt32 = 4
    static let resizeAllocate: UInt32 = 1
    static let resizeDelta: UInt32 = 2
    static let resizeShrink: UInt32 = 4

    /// Refuses flags that a function does not know, as libvirt does.
    static func check(
        _ flags: UInt32, allowed: UInt32, _ function: String, _ domain: VirtError.Domain = .storage
    ) throws(VirtError) {
        let unknown = flags & ~allowed
        guard unknown != 0 else { return }
        let text = "unsupported flags (0x\(String(unknown, radix: 16))) in function \(function)"
        var error = VirtError(code: .invalidArg, domain: domain, verbatim: text)
        error.str1 = "%s"
        throw error
    }
}

extension StorageBackend {
    func build(_ pool: StoragePool, flags: UInt32) async throws {}
    func stop(_ pool: StoragePool) async throws {}

    func delete(_ pool: StoragePool, flags: UInt32) async throws {
        throw VirtError(.noSupport, .storage, "pool does not support pool deletion")
    }

    func place(_ volume: StorageVolume, in pool: StoragePool) async throws -> StorageVolume {
        throw VirtError(.noSupport, .storage, "storage pool does not support volume creation")
    }

    func create(_ volume: StorageVolume, in pool: StoragePool, flags: UInt32) async throws {
        throw VirtError(.noSupport, .storage, "storage pool does not support volume creation")
    }

    func create(
        _ volume: StorageVolume, from source: StorageVolume, in pool: StoragePool, flags: UInt32
    ) async throws {
        throw VirtError(
            .noSupport, .storage, "storage pool does not support volume creation from an existing volume")
    }

    func update(_ volume: StorageVolume, in pool: StoragePool) async throws -> StorageVolume { volume }
    func probe(_ volume: StorageVolume, in pool: StoragePool) async throws -> StorageVolume { volume }

    func delete(_ volume: StorageVolume, in pool: StoragePool, flags: UInt32) async throws {
        throw VirtError(.noSupport, .storage, "storage pool does not support vol deletion")
    }

    func resize(_ volume: StorageVolume, to capacity: UInt64, in pool: StoragePool, flags: UInt32) async throws {
        throw VirtError(.noSupport, .storage, "storage pool does not support changing of volume capacity")
    }

    func wipe(_ volume: StorageVolume, _ algorithm: WipeAlgorithm) async throws {
        throw VirtError(.noSupport, .storage, "storage pool doesn't support volume wiping")
    }

    func open(_ volume: StorageVolume, forWriting: Bool) async throws -> VolumeFile {
        let what = forWriting ? "upload" : "download"
        throw VirtError(.noSupport, .storage, "storage pool doesn't support volume \(what)")
    }
}
