import Glibc
import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC

/// Snapshots in files of their own: the guest writes to new images from now on, and the old ones stay as they are.
extension DomainActor {
    /// The disks of a running guest, and its memory if that is asked for.
    func createActiveExternal(_ snapshot: inout Snapshot, _ flags: SnapshotCreateFlags) async throws {
        if flags.quiesces { try freezeFileSystems() }
        let keepsMemory = snapshot.memory.location == .external
        let resumes = keepsMemory && state.kind == .running
        if resumes, !flags.isLive { try await pauseGuest(.snapshot) }
        let file = snapshot.memory.file ?? ""
        let existed = keepsMemory && FileSystem.exists(file)
        do {
            if keepsMemory { try await writeMemory(&snapshot, to: file, wasRunning: resumes) }
            try await switchDisks(snapshot, reusesImages: flags.reusesImages)
        } catch {
            if keepsMemory, !existed { _ = try? await BlockingPool.shared.run { try FileSystem.remove(file) } }
            if resumes, state.kind == .paused { await resumeAfterSnapshot() }
            throw error
        }
        if flags.halts { return await haltForSnapshot() }
        // What the user is to copy by hand must not change meanwhile: the guest stays paused.
        if snapshot.disks.contains(where: { $0.location == .manual }) { return await saveStatus() }
        if resumes { try await continueAfterSnapshot() }
        await saveStatus()
    }

    /// The agent would have to freeze the guest's file systems.
    private func freezeFileSystems() throws {
        throw AgentRules.refusal(makeSnapshot())
    }

    private func writeMemory(_ snapshot: inout Snapshot, to file: String, wasRunning: Bool) async throws {
        try await checkMigratable()
        let (live, _) = try running()
        snapshot.cookie = snapshotCookie
        runtime?.pendingPause = .snapshot
        let image = SavedImage(
            xml: try savedDocument(live), wasRunning: wasRunning, cookie: try savedCookie(live))
        try await write(image, to: file, .snapshot)
    }

    // MARK: Disks of a running guest

    /// Lets QEMU write to new images, on all disks at the same moment.
    private func switchDisks(_ snapshot: Snapshot, reusesImages: Bool) async throws {
        var overlays: [Overlay] = []
        do {
            for disk in snapshot.disks where disk.location == .external {
                try await prepareOverlay(disk, reusesImages: reusesImages, &overlays)
            }
            guard !overlays.isEmpty else { return }
            let actions = overlays.flatMap(\.actions)
            try await command("transaction", ["actions": .array(actions)])
        } catch {
            for overlay in overlays.reversed() { await discard(overlay) }
            throw error
        }
        for overlay in overlays { adopt(overlay) }
        await saveStatus()
        if let config, overlays.contains(where: \.changesConfig) { try await store(config) }
    }

    private func prepareOverlay(
        _ own: Snapshot.Disk, reusesImages: Bool, _ overlays: inout [Overlay]
    ) async throws {
        let (domain, runtime) = try running()
        guard let old = domain.devices.disks.first(where: { $0.target.dev == own.name }) else {
            throw VirtError(.internalError, .qemu, "no disk named '\(own.name)'")
        }
        var overlay = Overlay(old, own, number: runtime.nodeIndex + 1)
        overlay.changesConfig = config?.devices.disks.contains { overlay.replaces($0) } ?? false
        self.runtime?.nodeIndex += 1
        // What follows is undone from here on.
        let position = overlays.count
        overlays.append(overlay)
        if !reusesImages { overlays[position].isNewFile = try await Self.makeFile(own.source) }
        overlays[position].files = try await takeFiles(of: overlay.topOnly)
        self.runtime?.ownedFiles += overlays[position].files
        let nodes = try await blockCommands(of: overlay.topOnly)
        let below = try await describeNode(overlay.oldNode)
        if reusesImages {
            for node in nodes { try await add(node, &overlays[position]) }
        } else {
            try await createImage(nodes, below, &overlays[position])
        }
        overlays[position].actions = overlay.actions(bitmaps: below)
    }

    /// Makes the file that QEMU is to fill; block devices and network images exist.
    private static func makeFile(_ source: DiskSource) async throws -> Bool {
        guard source.type == .file, let path = source.file, !FileSystem.exists(path) else { return false }
        try await BlockingPool.shared.run { try createFile(path) }
        return true
    }

    private static func createFile(_ path: String) throws(VirtError) {
        do {
            _ = try OwnedDescriptor(opening: path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        } catch {
            throw .system(error.int1, .qemu, "failed to create image file '\(path)'")
        }
    }

    /// The commands that give QEMU the image: its storage first, then its format, with nothing below it yet.
    private func blockCommands(of disk: Disk) async throws -> [QMPCommand] {
        let (domain, runtime) = try running()
        var devices = Devices()
        devices.disks = [disk]
        return try DevicePlug.commands(
            for: devices, in: domain, try await driver.facts(for: domain), plugEnvironment(runtime)
        ).filter { command in
            let node = command.arguments?["node-name"]?.string ?? ""
            return command.name == "object-add" || (command.name == "blockdev-add" && !node.contains("-CoR-"))
        }
    }

    private func add(_ node: QMPCommand, _ overlay: inout Overlay) async throws {
        try await command(node.name, node.arguments)
        if let name = node.arguments?["node-name"]?.string { overlay.nodes.append(name) }
    }

    private func describeNode(_ name: String) async throws -> JSONValue {
        let nodes = try await command("query-named-block-nodes", ["flat": true]).array ?? []
        guard let node = nodes.first(where: { $0["node-name"]?.string == name }) else {
            throw VirtError(.internalError, .qemu, "failed to obtain information about block node '\(name)'")
        }
        return node
    }

    /// Has QEMU write the image's header: as large as the one below, and with its name in it.
    private func createImage(_ nodes: [QMPCommand], _ below: JSONValue, _ overlay: inout Overlay) async throws {
        guard let format = nodes.last else { return }
        for node in nodes.dropLast() { try await add(node, &overlay) }
        let job = "create-\(overlay.newNode)"
        try await command(
            "blockdev-create",
            ["job-id": .string(job), "options": .object(try overlay.creation(below))])
        try await waitForCreation(job)
        try await add(format, &overlay)
    }

    private func waitForCreation(_ job: String) async throws {
        let loop = self.loop
        while true {
            let jobs = try await command("query-jobs").array ?? []
            guard let found = jobs.first(where: { $0["id"]?.string == job }) else {
                throw VirtError(.internalError, .qemu, "failed to format image: job '\(job)' is gone")
            }
            if found["status"]?.string == "concluded" {
                try await command("job-dismiss", ["id": .string(job)])
                guard let failure = found["error"]?.string else { return }
                throw VirtError(.internalError, .qemu, "failed to format image: '\(failure)'")
            }
            try await loop.sleep(for: .milliseconds(10))
        }
    }

    /// Takes back what was done for a disk.
    private func discard(_ overlay: Overlay) async {
        for node in overlay.nodes.reversed() { await attempt("blockdev-del", ["node-name": .string(node)]) }
        await giveBack(overlay.files)
        runtime?.ownedFiles.removeAll { overlay.files.contains($0) }
        guard overlay.isNewFile, let path = overlay.own.source.file else { return }
        do {
            _ = try await BlockingPool.shared.run { try FileSystem.remove(path) }
        } catch {
            Self.log.warning("Unable to remove just-created \(path): \(error)")
        }
    }

    /// QEMU writes to the new image: so say the guest's definitions.
    private func adopt(_ overlay: Overlay) {
        if let index = live?.devices.disks.firstIndex(where: { $0.target.dev == overlay.own.name }) {
            live?.devices.disks[index].push(overlay.top)
        }
        guard let index = config?.devices.disks.firstIndex(where: { overlay.replaces($0) }) else { return }
        var top = overlay.top
        top.source.index = nil
        config?.devices.disks[index].push(top)
    }

    // MARK: Disks of a domain that does not run

    func createInactiveExternal(_ snapshot: Snapshot, reusesImages: Bool) async throws {
        guard var domain = config else { throw removedError }
        var made: [String] = []
        do {
            for (index, own) in snapshot.disks.enumerated() where own.location == .external {
                guard domain.devices.disks.indices.contains(index), let path = own.source.path else { continue }
                let old = domain.devices.disks[index]
                if !reusesImages {
                    if !FileSystem.exists(path) { made.append(path) }
                    try await ImageSnapshots.createOverlay(
                        path, format: own.format ?? "qcow2", below: old.source.localPath ?? "",
                        old.driver?.type ?? "raw")
                }
                // As in libvirt, a chain that nobody wrote down is found again at the start.
                let isWritten = !reusesImages && old.backingStore?.source != nil
                domain.devices.disks[index].push(Overlay(old, own, number: nil).top)
                if !isWritten { domain.devices.disks[index].backingStore = nil }
            }
            try await store(domain)
        } catch {
            let files = made
            _ = try? await BlockingPool.shared.run { for file in files { try FileSystem.remove(file) } }
            throw error
        }
    }
}
