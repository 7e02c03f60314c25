import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC

/// Backups on their way and at their end.
extension DomainActor {
    /// The job of one disk has ended. Under the domain's job.
    func finishBackup(_ job: BlockJob, _ end: BlockJob.State, _ progress: Progress) async {
        await noteBackupEnd(job, end, progress)
        if let image = job.image { await closeImages([image]) }
        if let bitmap = job.bitmap, let disk = job.disk.flatMap(liveDisk) {
            await attempt(
                "block-dirty-bitmap-remove",
                ["node": .string(ImageNodes.formatName(disk.source.index)), "name": .string(bitmap)])
        }
        if let image = job.image { await revokeAccess([image]) }
    }

    private func noteBackupEnd(_ job: BlockJob, _ end: BlockJob.State, _ progress: Progress) async {
        guard runtime?.backup != nil else { return }
        if runtime?.backup?.document.isPull == true { await attempt("nbd-server-stop", [:]) }
        guard var backup = runtime?.backup else { return }
        backup.progress.current &+= progress.current
        backup.progress.total &+= progress.total
        backup.error = backup.error ?? job.error
        if let index = backup.document.disks.firstIndex(where: { $0.name == job.disk }) {
            backup.document.disks[index].state =
                switch end {
                case .completed: .complete
                case .cancelled: .cancelled
                case .failed, .concluded, .ready, .new, .running, .aborting, .pivoting: .failed
                }
        }
        runtime?.backup = backup
        let states = backup.document.disks.filter(\.isWanted).compactMap(\.state)
        if states.contains(.running) {
            if states.contains(.failed) || states.contains(.cancelled) { await cancelBackupJobs() }
        } else if !states.contains(.cancelling) {
            let isCancelled = states.contains(.cancelled) && !backup.document.isPull
            await endBackup(states.contains(.failed) ? .failed : isCancelled ? .cancelled : .completed)
        }
    }

    /// Asks QEMU to give up the jobs that still run. Whether there were any.
    @discardableResult
    func cancelBackupJobs() async -> Bool {
        var found = false
        for entry in runtime?.backup?.document.disks ?? [] where entry.isWanted {
            guard entry.state == .running || entry.state == .cancelling,
                let job = runtime?.blockJob(ofDisk: entry.name)
            else { continue }
            found = true
            guard entry.state == .running else { continue }
            let words: JSONValue = ["device": .string(job.name), "force": true]
            guard (try? await command("block-job-cancel", words)) != nil else { continue }
            runtime?.backup?.document.update(entry, .cancelling)
            runtime?.changeBlockJob(job.name) { $0.state = .aborting }
        }
        return found
    }

    /// The backup is over: files that nobody needs go, and whoever asks is told how it went.
    func endBackup(_ status: JobStatistics.Status) async {
        guard let backup = runtime?.backup else { return }
        if !backup.reuses, backup.document.isPull || status != .completed {
            for entry in backup.document.disks where entry.isWanted && entry.store.type == .file {
                if let path = entry.store.path { await removeFile(path) }
            }
        }
        let statistics = Self.statistics(backup, status, backup.progress, backup.error)
        completedJob = statistics
        emit(.jobCompleted(statistics.parameters))
        runtime?.backup = nil
    }

    /// The guest has gone in the middle of its backup.
    func backupLostGuest() async {
        guard let backup = runtime?.backup else { return }
        await revokeAccess(backup.document.disks.filter(\.isWanted).map { ChainImage($0.store) })
        await endBackup(.cancelled)
    }

    private static func statistics(
        _ backup: BackupJob, _ status: JobStatistics.Status, _ progress: Progress, _ error: String?
    ) -> JobStatistics {
        let now = WallClock.now
        var statistics = JobStatistics(
            operation: .backup, status: status, elapsed: now > backup.started ? now - backup.started : 0)
        if backup.document.isPull { statistics.temporary = progress } else { statistics.disk = progress }
        statistics.error = error
        return statistics
    }

    /// virDomainBackupGetXMLDesc.
    func backupDocument(flags: UInt32) throws -> String {
        try flags.checkFlags(0, "qemuBackupGetXMLDesc")
        guard let backup = runtime?.backup else {
            throw VirtError(.noDomainBackup, .qemu, "no domain backup job present")
        }
        return try backup.document.format()
    }

    // MARK: The domain's own job

    /// How far the backup has come; nil when there is none.
    func currentJob() async throws -> JobStatistics? {
        guard let backup = runtime?.backup else { return nil }
        var progress = backup.progress
        let jobs = try await command("query-jobs").array ?? []
        for entry in backup.document.disks where entry.state == .running {
            guard let name = runtime?.blockJob(ofDisk: entry.name)?.name,
                let job = jobs.first(where: { $0["id"]?.string == name })
            else { continue }
            progress.current &+= job["current-progress"]?.integer() ?? 0
            progress.total &+= job["total-progress"]?.integer() ?? 0
        }
        return Self.statistics(backup, .unbounded, progress, nil)
    }

    /// virDomainGetJobStats: completed jobs 1, which are forgotten unless they are to be kept 2.
    func jobStatistics(flags: UInt32) async throws -> JobStatistics? {
        guard flags & 1 == 0 else {
            let completed = completedJob
            if flags & 2 == 0 { completedJob = nil }
            return completed
        }
        _ = try running()
        return try await currentJob()
    }

    /// virDomainAbortJob.
    func abortJob(_ client: ClientHandle) async throws {
        try await withJob(.modify, "virDomainAbortJob", client: client.id) {
            _ = try self.running()
            guard self.runtime?.backup != nil else {
                throw VirtError(.operationInvalid, .qemu, "no job is active on the domain")
            }
            if await !self.cancelBackupJobs() { await self.endBackup(.cancelled) }
            await self.saveStatus()
        }
    }
}
