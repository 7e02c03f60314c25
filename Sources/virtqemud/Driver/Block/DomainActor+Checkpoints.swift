import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS
import VirtRPC

/// Flags of virDomainCheckpointCreateFlags, _XMLFlags and _DeleteFlags.
enum CheckpointFlags {
    static let redefine: UInt32 = 1
    static let quiesce: UInt32 = 2
    static let validate: UInt32 = 4
    static let secure: UInt32 = 1
    static let noDomain: UInt32 = 2
    static let size: UInt32 = 4
    static let children: UInt32 = 1
    static let metadataOnly: UInt32 = 2
    static let childrenOnly: UInt32 = 4
}

/// Checkpoints: bitmaps in the images, and a document of each on disk.
extension DomainActor {
    /// virDomainCheckpointCreateXML. The new checkpoint's name.
    func createCheckpoint(_ xml: String, flags: UInt32, _ client: ClientHandle) async throws -> String {
        try flags.checkFlags(CheckpointFlags.redefine | CheckpointFlags.validate, "qemuCheckpointCreateXML")
        if flags & CheckpointFlags.redefine != 0 {
            return try await redefineCheckpoint(xml, validates: flags & CheckpointFlags.validate != 0, client)
        }
        guard runtime != nil else {
            throw VirtError(.operationUnsupported, .qemu, "cannot create checkpoint for inactive domain")
        }
        let wanted = try await readCheckpoint(new: xml)
        return try await withJob(.modify, "virDomainCheckpointCreateXML", client: client.id) {
            let (checkpoint, actions) = try self.prepareCheckpoint(wanted)
            try await self.transaction(actions)
            try await self.finishCheckpoint(checkpoint)
            return checkpoint.name ?? ""
        }
    }

    func readCheckpoint(new xml: String) async throws -> DomainCheckpoint {
        try await SchemaValidation.check(xml, schema: "domaincheckpoint")
        let checkpoint = try DomainCheckpoint.parse(new: xml, now: WallClock.seconds)
        try Self.checkName(checkpoint)
        return checkpoint
    }

    /// The name is one of a file.
    private static func checkName(_ checkpoint: DomainCheckpoint) throws(VirtError) {
        guard let name = checkpoint.name, !name.isEmpty, !name.contains("/"), name.utf8.count <= 250 else {
            throw VirtError(
                .xmlError, .domainCheckpoint, "invalid checkpoint name '\(checkpoint.name ?? "")'")
        }
    }

    /// A new checkpoint with its disks and its parent, and what QEMU is to do for it. Under the domain's job.
    func prepareCheckpoint(_ wanted: DomainCheckpoint) throws -> (DomainCheckpoint, [JSONValue]) {
        let (live, _) = try running()
        var checkpoint = wanted
        checkpoint.domain = try definition(of: live).inactive()
        try checkpoint.alignDisks()
        let name = checkpoint.name ?? ""
        guard checkpoints[name] == nil else {
            throw VirtError(
                .operationFailed, .domainCheckpoint, "domain moment '\(name)' already exists")
        }
        var actions: [JSONValue] = []
        for entry in checkpoint.disks where entry.kind == .bitmap {
            guard let disk = liveDisk(entry.name), let image = disk.imageChain.images.first else { continue }
            guard entry.bitmap == name else {
                throw VirtError(
                    .configUnsupported, .qemu,
                    "bitmap for disk '\(entry.name)' must match checkpoint name '\(name)'")
            }
            guard image.formatName == "qcow2" else {
                throw VirtError(
                    .configUnsupported, .qemu,
                    "checkpoint for disk \(entry.name) unsupported for storage type \(image.formatName)")
            }
            try disk.requireBlockJobs()
            actions.append(BitmapActions.add(image, name, persistent: true, disabled: false))
        }
        checkpoint.parent = checkpoints.current
        return (checkpoint, actions)
    }

    /// Notes a checkpoint that QEMU has made, as the latest one.
    func finishCheckpoint(_ checkpoint: DomainCheckpoint) async throws {
        do {
            try await writeCheckpoint(checkpoint)
        } catch {
            Self.log.error("cannot save checkpoint '\(checkpoint.name ?? "")' of '\(name)': \(error)")
            throw VirtError(
                .internalError, .qemu, "unable to save metadata for checkpoint \(checkpoint.name ?? "")")
        }
        checkpoints.set(checkpoint)
        checkpoints.setCurrent(checkpoint.name)
        publish()
    }

    // MARK: Redefining

    private func redefineCheckpoint(_ xml: String, validates: Bool, _ client: ClientHandle) async throws -> String {
        try await SchemaValidation.check(xml, schema: "domaincheckpoint")
        var checkpoint = try DomainCheckpoint.parse(existing: xml.utf8)
        try Self.checkName(checkpoint)
        if var domain = checkpoint.domain {
            try await driver.complete(&domain)
            checkpoint.domain = domain
        }
        let complete = checkpoint
        return try await withJob(.modify, "virDomainCheckpointCreateXML", client: client.id) {
            try await self.store(redefined: complete, validates: validates)
        }
    }

    private func store(redefined wanted: DomainCheckpoint, validates: Bool) async throws -> String {
        var checkpoint = wanted
        let checkpointName = checkpoint.name ?? ""
        try checkpoints.checkParent(of: checkpoint, domain: name)
        if let domain = checkpoint.domain {
            guard domain.identity == uuid else {
                throw VirtError(
                    .invalidArg, .domainCheckpoint,
                    "definition for checkpoint \(checkpointName) must use uuid \(uuid)")
            }
            try checkpoint.alignDisks()
        } else {
            checkpoint.assignBitmaps()
        }
        if validates { try await checkBitmaps(of: checkpoint) }
        let becomesCurrent =
            checkpoints.current == nil
            || (checkpoint.parent != nil && checkpoint.parent == checkpoints.current)
        try await writeCheckpoint(checkpoint)
        checkpoints.set(checkpoint)
        if becomesCurrent { checkpoints.setCurrent(checkpointName) }
        publish()
        return checkpointName
    }

    private func checkBitmaps(of checkpoint: DomainCheckpoint) async throws {
        _ = try running()
        let known = try await namedNodes()
        for entry in checkpoint.disks where entry.kind == .bitmap {
            // A disk can have been taken out since.
            guard let disk = liveDisk(entry.name), let name = checkpoint.name else { continue }
            guard known.isValid(name, disk.imageChain.images) else {
                throw VirtError(
                    .checkpointInconsistent, .qemu,
                    "missing or broken bitmap '\(name)' for disk '\(entry.name)'")
            }
        }
    }

    // MARK: The document

    /// virDomainCheckpointGetXMLDesc.
    func checkpointDocument(_ name: String, flags: UInt32, _ client: ClientHandle) async throws -> String {
        try flags.checkFlags(7, "qemuCheckpointGetXMLDesc")
        var checkpoint = try checkpoints.require(name)
        if flags & CheckpointFlags.size != 0 {
            let known = checkpoint
            checkpoint = try await withJob(.modify, "virDomainCheckpointGetXMLDesc", client: client.id) {
                try await self.withSizes(known)
            }
        }
        return try checkpoint.format(
            secure: flags & CheckpointFlags.secure != 0, withDomain: flags & CheckpointFlags.noDomain == 0)
    }

    /// How much has changed since: the bitmaps of all images of each disk are put together to see it.
    private func withSizes(_ known: DomainCheckpoint) async throws -> DomainCheckpoint {
        var checkpoint = known
        let temporary = "libvirt-tmp-size-xml"
        let name = checkpoint.name ?? ""
        _ = try running()
        let before = try await namedNodes()
        var (leftovers, merges, cleanup): ([JSONValue], [JSONValue], [JSONValue]) = ([], [], [])
        var tops: [Int: ChainImage] = [:]
        for (index, entry) in checkpoint.disks.enumerated() where entry.kind == .bitmap {
            guard let chain = liveDisk(entry.name)?.imageChain.images, let top = chain.first,
                before.isValid(name, chain)
            else { continue }
            tops[index] = top
            if before.bitmap(temporary, top) != nil { leftovers.append(BitmapActions.remove(top, temporary)) }
            merges += BitmapActions.merge(
                .init(images: chain, chain: chain, target: top, bitmap: name, destination: temporary), before)
            cleanup.append(BitmapActions.remove(top, temporary))
        }
        guard !tops.isEmpty else { return checkpoint }
        try await transaction(leftovers)
        try await transaction(merges)
        let after = try await namedNodes()
        try await transaction(cleanup)
        for (index, top) in tops { checkpoint.disks[index].size = after.bitmap(temporary, top)?.dirtyBytes }
        return checkpoint
    }
}
