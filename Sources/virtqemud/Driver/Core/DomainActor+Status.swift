import VirtCore
import VirtModel
import VirtOS

/// The status file of a running guest.
extension DomainActor {
    /// Writes the guest's status as it is now; a failure is the caller's.
    func writeStatus() async throws {
        guard let runtime, let live, !isEnding else { return }
        let file = StatusFile(state: state, runtime: runtime, domain: live)
        let bytes = try file.format()
        let path = driver.paths.status(name)
        let previous = statusWrite
        let write = Task {
            _ = await previous?.result
            try await BlockingPool.shared.run { try FileSystem.atomicWrite(path, bytes, mode: 0o600) }
        }
        statusWrite = write
        try await write.value
    }

    /// Publishes the domain and writes its status; a failure is only logged.
    func saveStatus() async {
        publish()
        do {
            try await writeStatus()
        } catch {
            Self.log.warning("cannot save the status of '\(name)': \(error)")
        }
    }

    /// Saves soon, for changes that QEMU's events bring: several in a row make one file.
    func scheduleSave() {
        guard !isSaveScheduled, runtime != nil else { return }
        isSaveScheduled = true
        Task {
            self.isSaveScheduled = false
            // A start or an end that is under way writes (or removes) the file itself.
            guard self.jobs.holder.map({ $0.kind == .start || $0.kind == .stop || $0.kind == .destroy }) != true else {
                return
            }
            await self.saveStatus()
        }
    }
}
