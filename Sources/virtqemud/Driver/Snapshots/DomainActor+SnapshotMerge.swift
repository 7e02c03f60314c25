import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// Deleting an external snapshot: what was written since goes into the image below, and the file goes.
extension DomainActor {
    /// QEMU does the work; one is started, paused, for a domain that does not run.
    func mergeImages(of snapshot: Snapshot) async throws {
        guard runtime == nil else { return try await mergeImagesLive(of: snapshot) }
        guard let config else { throw removedError }
        try await startGuest(config, flags: StartFlags.paused, nil, from: SnapshotStart())
        do {
            try await mergeImagesLive(of: snapshot)
        } catch {
            await stopGuest(.shutdown, event: nil, keepsDomain: true)
            throw error
        }
        await stopGuest(.shutdown, event: nil, keepsDomain: true)
    }

    private func mergeImagesLive(of snapshot: Snapshot) async throws {
        var merges: [ImageMerge] = []
        for own in snapshot.disks where own.location == .external {
            merges.append(try prepareMerge(own, snapshot))
        }
        for merge in merges {
            try await mark(merge, in: snapshot.name, isBeingDeleted: true)
            do {
                try await run(merge)
            } catch {
                try? await mark(merge, in: snapshot.name, isBeingDeleted: false)
                throw error
            }
            try await adopt(merge, of: snapshot)
        }
        await saveStatus()
    }

    /// Finds the image and the one below in the guest's chain.
    private func prepareMerge(_ own: Snapshot.Disk, _ snapshot: Snapshot) throws -> ImageMerge {
        let (domain, _) = try running()
        guard !own.isBeingDeleted else {
            throw VirtError(
                .operationUnsupported, .qemu,
                "snapshot disk '\(own.name)' was target of not completed snapshot delete")
        }
        guard let disk = domain.devices.disks.first(where: { $0.target.dev == own.name }),
            let past = snapshot.domain?.devices.disks.first(where: { $0.target.dev == own.name })
        else {
            throw VirtError(.operationFailed, .qemu, "failed to find disk '\(own.name)' in snapshot VM XML")
        }
        let chain = disk.chain
        guard let place = chain.firstIndex(where: { $0.isSamePlace(own.source) }), place + 1 < chain.count else {
            throw VirtError(.invalidArg, .qemu, "could not find base disk source in disk source chain")
        }
        guard chain[place + 1].isSamePlace(past.source) else {
            throw VirtError(
                .operationFailed, .qemu, "snapshot VM disk source and parent disk source are not the same")
        }
        if let parent = snapshots.parent(of: snapshot.name).flatMap({ snapshots[name: $0] }), !parent.isExternal {
            throw VirtError(
                .operationUnsupported, .qemu,
                "deleting external snapshot that has internal snapshot as parent not supported")
        }
        return ImageMerge(own: own, disk: disk, place: place, chain: chain)
    }

    private func mark(_ merge: ImageMerge, in name: String, isBeingDeleted: Bool) async throws {
        guard var snapshot = snapshots[name: name],
            let index = snapshot.disks.firstIndex(where: { $0.name == merge.own.name })
        else { return }
        snapshot.disks[index].isBeingDeleted = isBeingDeleted
        snapshots.put(snapshot)
        try await writeMetadata(of: name)
    }

    // MARK: QEMU's job

    private func run(_ merge: ImageMerge) async throws {
        try await command("block-commit", .object(merge.command))
        do {
            try await wait(for: merge.job, ["ready", "pending"])
            if merge.isActive { tell(merge, merge.disk.source.path, status: 3) }
            try await command(merge.isActive ? "job-complete" : "job-finalize", ["id": .string(merge.job)])
            try await wait(for: merge.job, [])
        } catch {
            await attempt("job-cancel", ["id": .string(merge.job)])
            let reason = (error as? VirtError)?.message ?? "cancelled"
            throw VirtError(
                .operationFailed, .qemu,
                "block commit failed while deleting disk '\(merge.own.name)' snapshot: '\(reason)'")
        }
        await attempt("blockdev-del", ["node-name": .string(merge.top + "-format")])
        await attempt("blockdev-del", ["node-name": .string(merge.top + "-storage")])
    }

    /// Waits until the job has come to one of the states, or else to its end.
    private func wait(for job: String, _ states: Set<String>) async throws {
        let loop = self.loop
        while true {
            let jobs = try await command("query-jobs").array ?? []
            guard let found = jobs.first(where: { $0["id"]?.string == job }), let status = found["status"]?.string
            else { throw VirtError(.internalError, .qemu, "block job '\(job)' is gone") }
            if states.contains(status) { return }
            if status == "concluded" {
                try await command("job-dismiss", ["id": .string(job)])
                if let failure = found["error"]?.string { throw VirtError(.operationFailed, .qemu, failure) }
                guard states.isEmpty else { throw VirtError(.operationFailed, .qemu, "the job ended early") }
                return
            }
            try await loop.sleep(for: .milliseconds(20))
        }
    }

    /// VIR_DOMAIN_EVENT_ID_BLOCK_JOB: completed 0, ready 3; commit 3, active commit 4.
    private func tell(_ merge: ImageMerge, _ path: String?, status: Int32) {
        emit(
            .blockJob(
                path: path ?? "", target: merge.own.name, type: merge.isActive ? 4 : 3, status: status))
    }

    // MARK: Afterwards

    /// The image is no more: the guest's definitions and those in other snapshots don't name it any more.
    private func adopt(_ merge: ImageMerge, of snapshot: Snapshot) async throws {
        for index in live?.devices.disks.indices ?? 0..<0 where live?.devices.disks[index].target.dev == merge.own.name
        {
            live?.devices.disks[index].drop(merge.own.source)
        }
        tell(merge, live?.devices.disks.first { $0.target.dev == merge.own.name }?.source.path, status: 0)
        await removeImage(merge.own.source)
        let past = snapshot.domain?.devices.disks.first { $0.target.dev == merge.own.name }
        if var domain = config, domain.forget(merge.own, replacement: past) {
            try await store(domain)
        }
        for name in snapshots.descendants(of: snapshot.name) {
            guard var other = snapshots[name: name] else { continue }
            let isChanged = other.domain?.forget(merge.own, replacement: past) ?? false
            let isInactiveChanged = other.inactiveDomain?.forget(merge.own, replacement: past) ?? false
            guard isChanged || isInactiveChanged else { continue }
            snapshots.put(other)
            try await writeMetadata(of: name)
        }
    }

    private func removeImage(_ source: DiskSource) async {
        guard source.type == .file, let path = source.file else { return }
        let files = runtime?.ownedFiles.filter { $0.path == path } ?? []
        await giveBack(files)
        runtime?.ownedFiles.removeAll { $0.path == path }
        do {
            _ = try await BlockingPool.shared.run { try FileSystem.remove(path) }
        } catch {
            Self.log.warning("Unable to remove snapshot image file '\(path)': \(error)")
        }
    }
}

/// One image that is merged into the one below it.
private struct ImageMerge {
    let own: Snapshot.Disk
    let disk: Disk
    /// How many images are above.
    let place: Int
    let chain: [DiskSource]

    /// The guest writes to the image.
    var isActive: Bool { place == 0 }
    var top: String { "libvirt-\(chain[place].index ?? 0)" }
    var job: String { "commit-\(own.name)-\(top)-format" }

    var command: JSONObject {
        var words: JSONObject = [
            "device": .string("libvirt-\(chain[0].index ?? 0)-format"), "job-id": .string(job),
            "top-node": .string(top + "-format"),
            "base-node": .string("libvirt-\(chain[place + 1].index ?? 0)-format"),
        ]
        if !isActive, let path = chain[place + 1].path { words["backing-file"] = .string(path) }
        words["auto-finalize"] = .bool(isActive)
        words["auto-dismiss"] = false
        return words
    }
}

extension Disk {
    /// Takes an image out of the chain. True when it was there.
    @discardableResult
    mutating func drop(_ image: DiskSource) -> Bool {
        if source.isSamePlace(image), let below = backingStore, let next = below.source {
            source = next
            driver?.type = below.format?.type
            driver?.metadataCache = below.format?.metadataCache
            backingStore = below.backingStore
            return true
        }
        return BackingStore.drop(image, from: &backingStore)
    }
}

extension BackingStore {
    fileprivate static func drop(_ image: DiskSource, from store: inout BackingStore?) -> Bool {
        guard var changed = store else { return false }
        if changed.source?.isSamePlace(image) == true {
            store = changed.backingStore
            return true
        }
        var next = changed.backingStore
        guard drop(image, from: &next) else { return false }
        changed.backingStore = next
        store = changed
        return true
    }
}

extension Domain {
    /// Takes a deleted image out of a disk's chain; where it is all that is known of the disk, the image that it stood on
    /// takes its place.
    fileprivate mutating func forget(_ own: Snapshot.Disk, replacement: Disk?) -> Bool {
        guard let index = devices.disks.firstIndex(where: { $0.target.dev == own.name }) else { return false }
        if devices.disks[index].drop(own.source) { return true }
        guard devices.disks[index].source.isSamePlace(own.source), let replacement else { return false }
        devices.disks[index].source = replacement.source
        devices.disks[index].driver?.type = replacement.driver?.type
        devices.disks[index].backingStore = replacement.backingStore
        return true
    }
}
