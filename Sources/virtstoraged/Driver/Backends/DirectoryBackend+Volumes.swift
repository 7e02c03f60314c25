import CLinux
import Glibc
import VirtCore
import VirtModel
import VirtOS

extension DirectoryBackend {
    func place(_ volume: StorageVolume, in pool: StoragePool) async throws -> StorageVolume {
        guard !volume.name.utf8.contains(UInt8(ascii: "/")) else {
            throw VirtError(.operationInvalid, .storage, "volume name '\(volume.name)' cannot contain '/'")
        }
        var volume = volume
        volume.target.path = "\(pool.targetPath)/\(volume.name)"
        volume.key = volume.target.path
        volume.kind = volume.target.format == .dir ? .dir : volume.target.format == .ploop ? .ploop : .file
        let path = volume.target.path
        guard try await BlockingPool.shared.run({ !FileSystem.exists(path) }) else {
            throw VirtError(.operationInvalid, .storage, "volume target path '\(path)' already exists")
        }
        return volume
    }

    func create(_ volume: StorageVolume, in pool: StoragePool, flags: UInt32) async throws {
        let preallocates = flags & StorageFlag.createPreallocateMetadata != 0
        switch volume.target.format {
        case .raw where volume.target.encryption == nil:
            try checkRaw(volume, preallocates)
            try await BlockingPool.shared.run { try LocalVolume.createRaw(volume) }
        case .dir:
            try StorageFlag.check(flags, allowed: 0, "createFileDir")
            if volume.backing != nil {
                throw VirtError(.noSupport, .storage, "backing storage not supported for directories volumes")
            }
            try await BlockingPool.shared.run { try LocalVolume.createDirectory(volume) }
        case .ploop:
            throw VirtError(.internalError, .storage, "unable to find ploop, please install ploop tools")
        default:
            try await runCreate(volume, pool, preallocates)
        }
    }

    private func checkRaw(_ volume: StorageVolume, _ preallocates: Bool) throws(VirtError) {
        if preallocates {
            throw VirtError(
                .configUnsupported, .storage, "metadata preallocation is not supported for raw volumes")
        }
        if volume.backing != nil {
            throw VirtError(.noSupport, .storage, "backing storage not supported for raw volumes")
        }
    }

    func create(
        _ volume: StorageVolume, from source: StorageVolume, in pool: StoragePool, flags: UInt32
    ) async throws {
        let preallocates = flags & StorageFlag.createPreallocateMetadata != 0
        if volume.target.format == .dir || source.kind == .dir {
            throw VirtError(.noSupport, .storage, "cannot copy from volume to a directory volume")
        }
        let isPlain = volume.target.encryption == nil && source.target.encryption == nil
        if volume.target.format == .raw, source.target.format == .raw, isPlain {
            try checkRaw(volume, preallocates)
            let reflinks = flags & StorageFlag.createReflink != 0
            return try await BlockingPool.shared.run {
                try LocalVolume.createRaw(volume, from: source.target.path, reflinks: reflinks)
            }
        }
        if isPlain {
            return try await run(try QemuImg.convert(source, into: volume, preallocates: preallocates), volume)
        }
        try await withSecret(volume, pool) { secret in
            try await withSecret(source, pool) { sourceSecret in
                let steps = try QemuImg.convertEncrypted(
                    source, sourceSecret, into: volume, secret, preallocates: preallocates)
                for arguments in steps { try await run(arguments, volume) }
            }
        }
    }

    // MARK: qemu-img

    private func runCreate(_ volume: StorageVolume, _ pool: StoragePool, _ preallocates: Bool) async throws {
        try await withSecret(volume, pool) { secret in
            // What the definition itself forbids comes before any look at files.
            let arguments = try QemuImg.create(volume, preallocates: preallocates, secret: secret)
            if let backing = volume.backing {
                let path = backing.path.hasPrefix("/") ? backing.path : "\(pool.targetPath)/\(backing.path)"
                try await BlockingPool.shared.run {
                    guard unsafe access(path, R_OK) == 0 else {
                        throw VirtError.system(errno, .storage, "inaccessible backing store volume \(backing.path)")
                    }
                }
            }
            try await run(arguments, volume)
        }
    }

    /// Puts the passphrase of a volume that is encrypted into a file while `body` runs.
    private func withSecret(
        _ volume: StorageVolume, _ pool: StoragePool, _ body: (QemuImg.Secret?) async throws -> Void
    ) async throws {
        guard let encryption = volume.target.encryption else { return try await body(nil) }
        let passphrase = try await passphrase(encryption)
        let file = try await BlockingPool.shared.run { try writeSecret(passphrase, pool, volume) }
        defer { unsafe unlink(file) }
        try await body(QemuImg.Secret(volume: volume.name, file: file))
    }

    private func passphrase(_ encryption: StorageVolumeEncryption) async throws -> [UInt8] {
        guard encryption.secrets.count == 1, let secret = encryption.secrets.first else {
            throw VirtError(
                .invalidArg, .storage,
                "A single <secret type='passphrase'...> element is expected in encryption description")
        }
        return try await environment.secrets(secret)
    }

    /// A file that only the daemon can read, for as long as qemu-img runs.
    private func writeSecret(
        _ passphrase: [UInt8], _ pool: StoragePool, _ volume: StorageVolume
    ) throws(VirtError) -> String {
        let serial = String(UInt64.random(in: 0...UInt64.max), radix: 36)
        let path = "\(environment.stateDirectory)/\(pool.name).\(volume.name).secret.\(serial)"
        let raw = unsafe path.withCString { unsafe clinux_open($0, O_WRONLY | O_CREAT | O_EXCL, 0o600) }
        guard raw >= 0 else { throw .system(-raw, .storage, "failed to open secret file for write") }
        let file = OwnedDescriptor(raw)
        do throws(VirtError) {
            try FileSystem.write(file.rawValue, passphrase, name: path)
        } catch {
            unsafe unlink(path)
            throw .system(error.int1, .storage, "failed to write secret file")
        }
        return path
    }

    private func run(_ arguments: [String], _ volume: StorageVolume) async throws {
        do {
            // Nobody who may not read the volume may read it while it is made.
            let mode = volume.target.permissions?.mode ?? 0o600
            _ = try await environment.tools.run("qemu-img", arguments, umask: 0o777 ^ (mode | 0o600))
            try await BlockingPool.shared.run { try LocalVolume.applyPermissions(volume.target) }
        } catch {
            // Nobody else can have made it: its place was free when the volume was placed.
            unsafe unlink(volume.target.path)
            throw error
        }
    }

    // MARK: Existing volumes

    func update(_ volume: StorageVolume, in pool: StoragePool) async throws -> StorageVolume {
        let found = try await BlockingPool.shared.run { try LocalVolume.update(volume) }
        guard var found else { throw Self.gone(volume) }
        if pool.refreshAllocation == .capacity { found.allocation = found.capacity }
        return found
    }

    func probe(_ volume: StorageVolume, in pool: StoragePool) async throws -> StorageVolume {
        let found = try await BlockingPool.shared.run {
            try LocalVolume.examine(volume.target.path, name: volume.name)
        }
        guard var found else { throw Self.gone(volume) }
        if found.target.compat == nil { found.target.compat = volume.target.compat }
        if pool.refreshAllocation == .capacity { found.allocation = found.capacity }
        return found
    }

    private static func gone(_ volume: StorageVolume) -> VirtError {
        VirtError(.noStorageVol, .storage, "no storage vol with matching path '\(volume.target.path)'")
    }

    func delete(_ volume: StorageVolume, in pool: StoragePool, flags: UInt32) async throws {
        try StorageFlag.check(flags, allowed: 0, "virStorageBackendVolDeleteLocal")
        try await BlockingPool.shared.run { try LocalVolume.delete(volume) }
    }

    func resize(_ volume: StorageVolume, to capacity: UInt64, in pool: StoragePool, flags: UInt32) async throws {
        let allocates = flags & StorageFlag.resizeAllocate != 0
        let path = volume.target.path
        if volume.target.format == .raw, volume.target.encryption == nil {
            return try await BlockingPool.shared.run {
                try LocalVolume.resize(path, to: capacity, allocates: allocates)
            }
        }
        if allocates {
            let kind = volume.target.format == .raw ? "an unencrypted raw volume" : "raw type volume"
            throw VirtError(.operationUnsupported, .storage, "preallocate is only supported for \(kind)")
        }
        let shrinks = flags & StorageFlag.resizeShrink != 0 && capacity < volume.capacity ?? 0
        guard volume.target.encryption != nil else {
            let arguments = QemuImg.resize(path, capacity: capacity, shrinks: shrinks)
            try await environment.tools.run("qemu-img", arguments)
            return
        }
        guard volume.target.format == .raw else {
            throw VirtError(.operationUnsupported, .storage, "resize of qcow2 encrypted image is not supported")
        }
        try await withSecret(volume, pool) { secret in
            guard let secret else { return }
            let arguments = QemuImg.resizeLUKS(path, capacity: capacity, shrinks: shrinks, secret)
            try await environment.tools.run("qemu-img", arguments)
        }
    }

    func wipe(_ volume: StorageVolume, _ algorithm: WipeAlgorithm) async throws {
        let path = volume.target.path
        if algorithm == .trim {
            throw VirtError(.argumentUnsupported, .storage, "'trim' algorithm not supported")
        }
        if let pattern = algorithm.scrubPattern {
            try await environment.tools.run("scrub", ["-f", "-p", pattern, path])
        } else {
            try await BlockingPool.shared.run { try LocalVolume.wipe(path) }
        }
    }

    func open(_ volume: StorageVolume, forWriting: Bool) async throws -> VolumeFile {
        let path = volume.target.path
        return try await BlockingPool.shared.run { try VolumeFile(opening: path, forWriting: forWriting) }
    }
}
