import VirtCore
import VirtModel
import VirtOS

/// What is known of a domain's snapshots, in memory and on disk.
extension DomainActor {
    var snapshotFiles: SnapshotFiles { SnapshotFiles(directory: driver.paths.snapshot) }

    /// Reads what a daemon before left.
    func loadSnapshots() async {
        let (files, name) = (snapshotFiles, self.name)
        guard let loaded = try? await BlockingPool.shared.run({ files.load(name) }) else { return }
        for var snapshot in loaded.snapshots {
            do {
                try await completeDefinitions(of: &snapshot)
                try snapshots.add(snapshot)
            } catch {
                Self.log.error("cannot use snapshot '\(snapshot.name)' of '\(name)': \(error)")
            }
        }
        snapshots.current = loaded.current.flatMap { snapshots[name: $0] == nil ? nil : $0 }
        if !snapshots.repairRelations() {
            Self.log.error("Snapshots have inconsistent relations for domain \(name)")
        }
        publish()
    }

    /// Fills in what the definitions in a snapshot's document leave open. They are not validated: the guest was so.
    func completeDefinitions(of snapshot: inout Snapshot) async throws {
        snapshot.uuid = uuid
        if var domain = snapshot.domain {
            try await driver.complete(&domain, isNew: false)
            snapshot.domain = domain
        }
        if var domain = snapshot.inactiveDomain {
            try await driver.complete(&domain, isNew: false)
            snapshot.inactiveDomain = domain
        }
    }

    /// Writes a snapshot's file as it is now.
    func writeMetadata(of name: String) async throws {
        guard var snapshot = snapshots[name: name] else { return }
        snapshot.isActive = snapshots.current == name
        let (files, domain, written) = (snapshotFiles, self.name, snapshot)
        try await BlockingPool.shared.run { try files.write(written, domain: domain) }
    }

    /// Makes another snapshot the current one; the file of the one before says so at once, the new one's is the caller's.
    func setCurrentSnapshot(_ name: String?) async {
        let old = snapshots.current
        snapshots.current = name
        guard let old, old != name else { return }
        do {
            try await writeMetadata(of: old)
        } catch {
            Self.log.warning("failed to update old current snapshot '\(old)': \(error)")
        }
    }

    /// Forgets a snapshot and removes its file; the children are the caller's. The parent of the current one becomes it.
    func forgetSnapshot(_ name: String, updatesParent: Bool) async {
        let parent = updatesParent && snapshots.current == name ? snapshots.parent(of: name) : nil
        snapshots.remove(name)
        if let parent {
            snapshots.current = parent
            do {
                try await writeMetadata(of: parent)
            } catch {
                Self.log.warning("failed to set parent snapshot '\(parent)' as current: \(error)")
                snapshots.current = nil
            }
        }
        let (files, domain) = (snapshotFiles, self.name)
        _ = try? await BlockingPool.shared.run { files.remove(name, domain: domain) }
    }

    /// The domain goes: nothing is to tell of its snapshots any more. The images keep theirs.
    func forgetAllSnapshots() async {
        let (files, domain, names) = (snapshotFiles, self.name, snapshots.names)
        snapshots = SnapshotTree()
        _ = try? await BlockingPool.shared.run {
            for name in names { files.remove(name, domain: domain) }
            files.removeDirectory(domain)
        }
    }

    /// virDomainUndefineFlags: an inactive domain with snapshots goes only when that is asked for (flag 2).
    func dropSnapshots(undefining flags: UInt32) async throws {
        guard runtime == nil else { return }
        guard snapshots.isEmpty || flags & 2 != 0 else {
            throw VirtError(
                .operationInvalid, .qemu, "cannot delete inactive domain with \(snapshots.count) snapshots")
        }
        await forgetAllSnapshots()
    }

    /// virDomainRename: the files move with the domain.
    func moveSnapshots(from oldName: String) async {
        for name in snapshots.names {
            do {
                try await writeMetadata(of: name)
            } catch {
                // The old file stays, as the only one that tells of the snapshot.
                return Self.log.error("cannot move snapshot '\(name)' of '\(oldName)' to '\(self.name)': \(error)")
            }
        }
        guard !snapshots.isEmpty else { return }
        let (files, names) = (snapshotFiles, snapshots.names)
        _ = try? await BlockingPool.shared.run {
            for name in names { files.remove(name, domain: oldName) }
            files.removeDirectory(oldName)
        }
    }
}

extension QEMUDriver {
    /// Reads the snapshots of all domains.
    func loadSnapshots() async {
        let files = SnapshotFiles(directory: paths.snapshot)
        let known = (try? await BlockingPool.shared.run { files.domains() }) ?? []
        for domain in registry.all where known.contains(domain.name) {
            guard let actor = try? registry.actor(domain.uuid) else { continue }
            await actor.loadSnapshots()
        }
    }
}
