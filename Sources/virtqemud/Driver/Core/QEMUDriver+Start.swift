import Glibc
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS
import VirtWire

extension QEMUDriver {
    /// Finds guests that run, reads definitions, and starts what is to be started with the host.
    package func start() async throws {
        try await makeDirectories()
        let (running, isComplete) = await loadStatus()
        try await loadDefinitions()
        await loadSnapshots()
        await loadCheckpoints()
        await reconnect(running)
        await removeLeftDirectories(isComplete: isComplete)
        // The network's daemon may be away: nobody waits for it.
        Task { await self.releaseLeftPorts() }
        await startAutostartGuests()
    }

    /// Connects to all guests at once. One that does not answer does not keep clients from the others: it goes on being
    /// waited for while they are served.
    private func reconnect(_ guests: [DomainActor]) async {
        guard !guests.isEmpty else { return }
        let tasks = guests.map { guest in Task { await guest.reconnect() } }
        let patience = Once()
        Task {
            for task in tasks { await task.value }
            patience.resume()
        }
        let loop = loops.next()
        loop.execute { loop.schedule(after: .seconds(3), name: "reconnect") { patience.resume() } }
        await withCheckedContinuation { patience.set($0) }
    }

    package func reload() async {
        do {
            try await loadDefinitions()
        } catch {
            Self.log.error("cannot reload definitions: \(error)")
        }
    }

    /// Guests go on without their daemon.
    package func stop() async {}

    private func makeDirectories() async throws {
        let paths = self.paths
        let configuration = self.configuration
        try await BlockingPool.shared.run {
            for path in [paths.configuration, paths.autostart, paths.state] {
                try FileSystem.makeDirectories(path, mode: 0o755)
            }
            try FileSystem.makeDirectories(paths.log, mode: 0o700)
            let guests = [
                paths.library, paths.save, paths.dump, paths.snapshot, paths.checkpoint, paths.nvram, paths.ram,
                paths.library + "/channel", paths.channelTarget, paths.state + "/slirp", paths.state + "/passt",
            ]
            for path in guests {
                try FileSystem.makeDirectories(path, mode: 0o755)
                if !paths.isSession { try configuration.giveDirectory(path, mode: 0o755) }
            }
            let bus = paths.state + "/dbus"
            try FileSystem.makeDirectories(bus, mode: 0o770)
            if !paths.isSession { try configuration.giveDirectory(bus, mode: 0o770) }
        }
        try await lockState()
    }

    /// One driver at a time: the others' daemon (C libvirtd, C virtqemud) locks the same file.
    private func lockState() async throws {
        let path = paths.state + "/driver.pid"
        let lock = try await BlockingPool.shared.run { try StateLock(path) }
        keep(lock)
    }

    /// The guests that a daemon before left running, and whether all their files could be read.
    private func loadStatus() async -> (guests: [DomainActor], isComplete: Bool) {
        let directory = paths.state
        let names = (try? await BlockingPool.shared.run { try FileSystem.names(in: directory) }) ?? []
        var actors: [DomainActor] = []
        var isComplete = true
        for name in names where name.hasSuffix(".xml") {
            let path = "\(directory)/\(name)"
            do {
                let bytes = try await BlockingPool.shared.run { try FileSystem.read(path) }
                let status = try StatusFile.parse(bytes)
                let actor = DomainActor(status.domain, isPersistent: false, driver: self)
                await actor.adopt(status)
                try registry.insert(actor, await actor.makeSnapshot())
                actors.append(actor)
            } catch {
                Self.log.error("cannot load '\(path)', which is left where it is: \(error)")
                isComplete = false
            }
        }
        return (actors, isComplete)
    }

    /// Starts autostart guests once per boot of the host: a marker in the state directory remembers that it was done.
    private func startAutostartGuests() async {
        let marker = paths.state + "/autostarted"
        guard !FileSystem.exists(marker) else { return }
        _ = try? await BlockingPool.shared.run { try FileSystem.atomicWrite(marker, [], mode: 0o600) }
        for domain in registry.all where domain.hasAutostart && !domain.isActive {
            do {
                try await registry.actor(domain.uuid).create(flags: 0, "autostart", nil)
            } catch {
                Self.log.error("Failed to autostart VM '\(domain.name)': \(error)")
            }
        }
    }
}
