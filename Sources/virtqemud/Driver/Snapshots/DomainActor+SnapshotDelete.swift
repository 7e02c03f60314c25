import VirtCore
import VirtModel
import VirtRPC

/// virDomainSnapshotDelete.
extension DomainActor {
    func deleteSnapshot(_ name: String, flags rawFlags: UInt32, _ client: ClientHandle) async throws {
        let flags = try SnapshotDeleteFlags(rawFlags)
        try await withJob(.modify, "virDomainSnapshotDelete", client: client.id) {
            let snapshot = try self.snapshots.find(name)
            if !flags.isMetadataOnly { try self.checkDeletion(of: snapshot, flags) }
            if flags.deletesChildren || flags.isChildrenOnly {
                try await self.deleteChildren(of: name, flags)
            } else {
                if snapshot.isExternal, !flags.isMetadataOnly { try await self.mergeImages(of: snapshot) }
                try await self.adoptChildren(of: name)
            }
            if !flags.isChildrenOnly { try await self.discard(name, flags, updatesParent: true) }
            self.publish()
        }
    }

    private func checkDeletion(of snapshot: Snapshot, _ flags: SnapshotDeleteFlags) throws {
        if !snapshot.isExternal { try checkImages(of: snapshot) }
        if flags.deletesChildren || flags.isChildrenOnly {
            let kin = snapshots.descendants(of: snapshot.name).compactMap { snapshots[name: $0] }
            let count = kin.filter(\.isExternal).count
            guard count == 0 || count == kin.count else {
                throw VirtError(
                    .configUnsupported, .qemu,
                    "deletion of external and internal children disk snapshots not supported")
            }
            guard count == 0, !snapshot.isExternal || flags.isChildrenOnly else {
                throw VirtError(
                    .configUnsupported, .qemu, "deletion of external children disk snapshots not supported")
            }
        } else if snapshot.isExternal, snapshots.children(of: snapshot.name).count > 1 {
            throw VirtError(
                .configUnsupported, .qemu, "deletion of external disk snapshots with children not supported")
        }
    }

    /// QEMU deletes from the images that it uses; the snapshot is in those from then.
    private func checkImages(of snapshot: Snapshot) throws {
        guard let live, runtime != nil, let then = snapshot.domain else { return }
        for own in snapshot.disks {
            let present = live.devices.disks.first { $0.target.dev == own.name }
            let past = then.devices.disks.first { $0.target.dev == own.name }
            guard let present, let past, !present.source.isSamePlace(past.source) else { continue }
            throw VirtError(
                .operationUnsupported, .qemu,
                "disk image '\(own.name)' for internal snapshot '\(snapshot.name)' is not the same as disk image"
                    + " currently used by VM")
        }
    }

    private func deleteChildren(of name: String, _ flags: SnapshotDeleteFlags) async throws {
        let kin = snapshots.descendants(of: name)
        let hasCurrent = snapshots.current.map(kin.contains) ?? false
        for child in kin.reversed() { try await discard(child, flags, updatesParent: false) }
        guard hasCurrent else { return }
        snapshots.current = name
        guard flags.isChildrenOnly else { return }
        do {
            try await writeMetadata(of: name)
        } catch {
            snapshots.current = nil
            throw VirtError(.internalError, .qemu, "failed to set snapshot '\(name)' as current")
        }
    }

    /// The children of a snapshot that goes become its parent's.
    private func adoptChildren(of name: String) async throws {
        let parent = snapshots[name: name]?.parent
        for child in snapshots.children(of: name) {
            guard var snapshot = snapshots[name: child] else { continue }
            snapshot.parent = parent
            snapshots.put(snapshot)
            try await writeMetadata(of: child)
        }
    }

    /// Deletes one snapshot, of which nothing is left in files of its own.
    private func discard(_ name: String, _ flags: SnapshotDeleteFlags, updatesParent: Bool) async throws {
        guard let snapshot = snapshots[name: name] else { return }
        if !flags.isMetadataOnly, !snapshot.isExternal {
            if runtime == nil {
                guard let domain = snapshot.domain ?? config else { throw removedError }
                try await ImageSnapshots.delete(name, of: domain)
            } else {
                do {
                    try await deleteState(name)
                } catch {
                    // As in libvirt: what QEMU does not have is deleted.
                    Self.log.warning("cannot delete snapshot '\(name)' of '\(self.name)': \(error)")
                }
            }
        }
        await forgetSnapshot(name, updatesParent: updatesParent)
    }
}

extension DiskSource {
    /// Whether two sources are the same image.
    func isSamePlace(_ other: DiskSource) -> Bool {
        guard !isEmpty || !other.isEmpty else { return true }
        guard path == other.path else { return false }
        switch (type == .network, other.type == .network) {
        case (true, true):
            return network.protocol == other.network.protocol && network.hosts == other.network.hosts
        case (false, false): return type != .nvme || nvme == other.nvme
        case (true, false), (false, true): return false
        }
    }
}
