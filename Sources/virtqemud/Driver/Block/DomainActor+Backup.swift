import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC

/// Backups: QEMU copies disks into files, or serves them over NBD as they were when the backup began.
extension DomainActor {
    /// One disk of a backup that begins.
    private struct Part {
        var entry: DiskBackup
        let disk: Disk
        var image: ChainImage
        /// The bitmap with what has changed since the checkpoint.
        var bitmap: String?
        var job: BlockJob
        var hasFile = false
        var isOpen = false

        var source: ChainImage { disk.imageChain.images.first ?? image }
    }

    /// virDomainBackupBegin.
    func beginBackup(_ xml: String, checkpoint: String?, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(BackupJob.reuseExternal, "qemuBackupBegin")
        try await SchemaValidation.check(xml, schema: "domainbackup")
        let document = try DomainBackup.parse(xml)
        var wanted: DomainCheckpoint?
        if let checkpoint { wanted = try await readCheckpoint(new: checkpoint) }
        let checkpoint = wanted
        try await withJob(.modify, "virDomainBackupBegin", client: client.id) {
            guard let live = self.live, self.runtime != nil else {
                throw VirtError(
                    .operationUnsupported, .qemu, "cannot perform disk backup for inactive domain")
            }
            guard self.runtime?.backup == nil else {
                throw VirtError(.operationInvalid, .qemu, "another backup job is already running")
            }
            var document = document
            try document.align(to: live, suffix: checkpoint?.name ?? String(WallClock.seconds))
            try Self.settleServer(&document)
            let prepared = try checkpoint.map { try self.prepareCheckpoint($0) }
            try await self.startBackup(document, prepared, flags)
        }
    }

    private static func settleServer(_ document: inout DomainBackup) throws(VirtError) {
        guard document.isPull else { return }
        if document.server == nil {
            document.server = DomainBackup.Server()
            document.server?.name = "localhost"
        }
        if document.server?.transport == .tcp, document.server?.port ?? 0 == 0 {
            throw VirtError(.operationUnsupported, .qemu, "<domainbackup> must specify TCP port for now")
        }
        if document.server?.tls == true {
            throw VirtError(.operationInvalid, .qemu, "backup TLS directory not configured")
        }
    }

    private func startBackup(
        _ document: DomainBackup, _ checkpoint: (DomainCheckpoint, [JSONValue])?, _ flags: UInt32
    ) async throws {
        let known = try await namedNodes()
        var backup = BackupJob(document: document, flags: flags, started: WallClock.now)
        var parts = try document.disks.filter(\.isWanted).map { try prepare($0, document) }
        guard !parts.isEmpty else {
            throw VirtError(.configUnsupported, .qemu, "no disks selected for backup")
        }
        var actions = checkpoint?.1 ?? []
        for part in parts { actions += try backupActions(part, known, isPull: document.isPull) }
        do {
            for index in parts.indices {
                try await openStore(&parts[index], known, backup)
                try register(parts[index].job)
            }
            for part in parts { backup.document.update(part.entry, .running) }
            runtime?.backup = backup
            try await launch(actions, document)
        } catch {
            await abandon(parts)
            throw error
        }
        for part in parts { runtime?.changeBlockJob(part.job.name) { $0.state = .running } }
        await saveStatus()
        if let checkpoint { try await finishCheckpoint(checkpoint.0) }
        if document.isPull { try await export(parts) }
    }

    /// Starts the server and the jobs, all at one moment.
    private func launch(_ actions: [JSONValue], _ document: DomainBackup) async throws {
        if let server = document.server { try await command("nbd-server-start", server.startWords) }
        do {
            try await transaction(actions)
        } catch {
            if document.isPull { await attempt("nbd-server-stop", [:]) }
            throw error
        }
    }

    private func prepare(_ wanted: DiskBackup, _ document: DomainBackup) throws -> Part {
        var entry = wanted
        guard let disk = liveDisk(entry.name) else {
            throw VirtError(.invalidArg, .qemu, "no disk named '\(entry.name)'")
        }
        try disk.requireBlockJobs()
        if document.isPull, let format = entry.format, format != "qcow2" {
            throw VirtError(
                .configUnsupported, .qemu, "pull mode backup for disk '\(entry.name)' requires qcow2 driver")
        }
        entry.format = entry.format ?? "qcow2"
        entry.store.index = nextNodeIndex()
        var bitmap: String?
        if let name = entry.incremental {
            guard checkpoints[name] != nil else {
                throw VirtError(
                    .noDomainCheckpoint, .qemu,
                    "Checkpoint '\(name)' for incremental backup of disk '\(entry.name)' not found")
            }
            bitmap = entry.exportBitmap ?? "backup-\(entry.name)"
        }
        var format = DiskFormat()
        format.type = entry.format ?? "qcow2"
        let image = ChainImage(entry.store, format: format)
        var job = BlockJob(
            .backup, name: BlockJob.name("backup", entry.name, disk.source.index), disk: entry.name)
        guard runtime?.blockJob(ofDisk: entry.name) == nil else {
            throw VirtError(.internalError, .qemu, "disk '\(entry.name)' has a blockjob assigned")
        }
        job.image = image
        job.bitmap = document.isPull ? nil : bitmap
        if document.isPull, entry.exportBitmap == nil { entry.exportBitmap = bitmap }
        if document.isPull, entry.exportName == nil { entry.exportName = entry.name }
        return Part(entry: entry, disk: disk, image: image, bitmap: bitmap, job: job)
    }

    /// What QEMU does in the moment in which the backup begins.
    private func backupActions(_ part: Part, _ known: NamedNodes, isPull: Bool) throws -> [JSONValue] {
        var actions: [JSONValue] = []
        let chain = part.disk.imageChain.images
        if let incremental = part.entry.incremental, let bitmap = part.bitmap {
            guard known.isValid(incremental, chain) else {
                throw VirtError(
                    .checkpointInconsistent, .qemu,
                    "missing or broken bitmap '\(incremental)' for disk '\(part.entry.name)'")
            }
            // A client reads the bitmap from what is exported, QEMU from what it copies.
            actions += BitmapActions.merge(
                .init(
                    images: chain, chain: chain, target: isPull ? part.image : part.source, bitmap: incremental,
                    destination: bitmap), known)
        }
        var words: JSONObject = [
            "device": .string(ImageNodes.formatName(part.source.source.index)), "job-id": .string(part.job.name),
            "target": .string(ImageNodes.formatName(part.image.source.index)),
        ]
        words["sync"] = .string(isPull ? "none" : part.bitmap != nil ? "incremental" : "full")
        if !isPull, let bitmap = part.bitmap { words["bitmap"] = .string(bitmap) }
        words.finishByClient()
        actions.append(BitmapActions.action("blockdev-backup", words))
        return actions
    }

    /// Makes the file that takes the data, and opens it on top of the disk where it needs that.
    private func openStore(_ part: inout Part, _ known: NamedNodes, _ backup: BackupJob) async throws {
        let isPull = backup.document.isPull
        let path = part.image.source.path ?? ""
        if !backup.reuses, part.image.source.type == .file {
            guard try await BlockingPool.shared.run({ !FileSystem.exists(path) }) else {
                throw VirtError(
                    .invalidArg, .qemu, "store '\(path)' for backup of '\(part.entry.name)' exists")
            }
            try await createFile(path, "failed to create image file '\(path)'")
            part.hasFile = true
        }
        try await allowAccess([part.image])
        let stands = isPull || (part.entry.incremental != nil && ImageNodes(part.image, driver: nil).hasBacking)
        if backup.reuses {
            let below: ImageNodes.Backing = stands ? part.source.source.index.map { .node($0) } ?? .none : .none
            try await openImages([part.image], of: nil, depth: 0, below: below)
        } else {
            var new = try NewImage(part.image, like: part.source, known)
            if stands {
                new.backing = part.source
                new.node = part.source.source.index.map { .node($0) } ?? .none
            }
            try await createImage(new, of: nil)
        }
        part.isOpen = true
    }

    private func abandon(_ parts: [Part]) async {
        runtime?.backup = nil
        for part in parts {
            runtime?.blockJobs.removeAll { $0.name == part.job.name }
            if part.isOpen { await closeImages([part.image]) }
            await revokeAccess([part.image])
            if part.hasFile, let path = part.image.source.path { await removeFile(path) }
        }
        await saveStatus()
    }

    /// Lets a client read the disks.
    private func export(_ parts: [Part]) async throws {
        do {
            for part in parts {
                let node = ImageNodes.formatName(part.image.source.index)
                var words: JSONObject = [
                    "type": "nbd", "id": .string("libvirt-nbd-\(node)"), "node-name": .string(node), "writable": false,
                    "name": .string(part.entry.exportName ?? part.entry.name),
                ]
                if let bitmap = part.bitmap { words["bitmaps"] = [.string(bitmap)] }
                try await command("block-export-add", .object(words))
            }
        } catch {
            await cancelBackupJobs()
            throw error
        }
    }
}

extension DomainBackup {
    /// Notes how it stands with one disk.
    mutating func update(_ entry: DiskBackup, _ state: DiskBackup.State) {
        guard let index = disks.firstIndex(where: { $0.name == entry.name }) else { return }
        disks[index] = entry
        disks[index].state = state
    }
}

extension DomainBackup.Server {
    /// Where QEMU listens.
    fileprivate var startWords: JSONValue {
        let data: JSONValue
        if transport == .unix {
            data = ["path": .string(socket ?? "")]
        } else {
            data = ["host": .string(name ?? "localhost"), "port": .string(String(port ?? 0))]
        }
        return ["addr": ["type": .string(transport == .unix ? "unix" : "inet"), "data": data]]
    }
}
