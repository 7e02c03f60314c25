import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC

/// Checkpoints that go: their bitmaps, their documents, and what their children descend from then.
extension DomainActor {
    /// virDomainCheckpointDelete.
    func deleteCheckpoint(_ name: String, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(7, "qemuCheckpointDelete")
        try await withJob(.modify, "virDomainCheckpointDelete", client: client.id) {
            let isMetadata = flags & CheckpointFlags.metadataOnly != 0
            if !isMetadata, self.runtime == nil {
                throw VirtError(
                    .operationUnsupported, .qemu, "cannot delete checkpoint for inactive domain")
            }
            let checkpoint = try self.checkpoints.require(name)
            if flags & (CheckpointFlags.children | CheckpointFlags.childrenOnly) != 0 {
                try await self.deleteDescendants(of: name, isMetadata)
            } else {
                try await self.moveChildren(of: name, to: checkpoint.parent)
            }
            if flags & CheckpointFlags.childrenOnly == 0 {
                try await self.discard(checkpoint, isMetadata, nextCurrent: checkpoint.parent)
            }
            self.publish()
        }
    }

    private func deleteDescendants(of name: String, _ isMetadata: Bool) async throws {
        let list = checkpoints.descendants(of: name)
        let current = checkpoints.current
        for descendant in list.reversed() {
            guard let checkpoint = checkpoints[descendant] else { continue }
            try await discard(checkpoint, isMetadata, nextCurrent: nil)
        }
        if let current, list.contains(current) { checkpoints.setCurrent(name) }
    }

    private func moveChildren(of name: String, to parent: String?) async throws {
        for child in checkpoints.children(of: name) {
            guard var checkpoint = checkpoints[child] else { continue }
            checkpoint.parent = parent.flatMap { checkpoints[$0] == nil ? nil : $0 }
            try await writeCheckpoint(checkpoint)
            checkpoints.set(checkpoint)
        }
    }

    private func discard(_ checkpoint: DomainCheckpoint, _ isMetadata: Bool, nextCurrent: String?) async throws {
        guard let name = checkpoint.name else { return }
        if !isMetadata { try await removeBitmaps(of: checkpoint) }
        let wasCurrent = checkpoints.current == name
        await removeCheckpointFile(name)
        checkpoints.remove(name)
        if wasCurrent { checkpoints.setCurrent(nextCurrent) }
    }

    private func removeBitmaps(of checkpoint: DomainCheckpoint) async throws {
        let known = try await namedNodes()
        var actions: [JSONValue] = []
        var lower: [(image: ChainImage, disk: Disk)] = []
        for entry in checkpoint.disks where entry.kind == .bitmap {
            // A disk can have been taken out since.
            guard let disk = liveDisk(entry.name) else { continue }
            guard let bitmap = entry.bitmap else {
                throw VirtError(
                    .invalidArg, .qemu,
                    "missing bitmap name for disk '\(entry.name)' of checkpoint '\(checkpoint.name ?? "")'")
            }
            let images = disk.imageChain.images
            let having = images.indices.filter { known.bitmap(bitmap, images[$0]) != nil }
            guard !having.isEmpty else {
                throw VirtError(
                    .internalError, .qemu,
                    "bitmap '\(bitmap)' not found in backing chain of '\(entry.name)'")
            }
            actions += having.map { BitmapActions.remove(images[$0], bitmap) }
            lower += having.filter { $0 > 0 }.map { (images[$0], disk) }
        }
        try await writing(lower) { try await self.transaction(actions) }
    }

    /// Lets QEMU write images below the top one for a moment.
    private func writing(_ images: [(image: ChainImage, disk: Disk)], _ body: () async throws -> Void) async throws {
        var opened: [(image: ChainImage, disk: Disk)] = []
        var failure: (any Error)?
        do {
            for entry in images {
                try await allowAccess([entry.image], remember: false)
                try await reopen(entry.image, in: entry.disk.imageChain, of: entry.disk, isReadonly: false)
                opened.append(entry)
            }
            try await body()
        } catch {
            failure = error
        }
        for entry in opened.reversed() {
            do {
                try await reopen(entry.image, in: entry.disk.imageChain, of: entry.disk, isReadonly: true)
            } catch {
                Self.log.warning("an image of '\(name)' stays open for writing: \(error)")
            }
        }
        if let failure { throw failure }
    }
}
