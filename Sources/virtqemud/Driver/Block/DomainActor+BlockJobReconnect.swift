import QEMUMonitor
import VirtCore
import VirtModel

/// Block jobs that an earlier daemon started: QEMU says how they stand, and what it missed to do is done now.
extension DomainActor {
    func refreshBlockJobs() async {
        guard let known = runtime?.blockJobs, !known.isEmpty || runtime?.backup != nil else { return }
        let reported: [JSONValue]
        do {
            reported = try await command("query-jobs").array ?? []
        } catch {
            return Self.log.error("cannot see how the block jobs of '\(name)' stand: \(error)")
        }
        for job in known {
            guard let entry = reported.first(where: { $0["id"]?.string == job.name }) else {
                Self.log.warning("QEMU does not know the block job '\(job.name)' of '\(name)' any more")
                if job.disk != nil, job.kind == .copy { await dropMirror(job) }
                runtime?.blockJobs.removeAll { $0.name == job.name }
                continue
            }
            if job.isInvalid {
                await giveUpInvalid(job)
                continue
            }
            let status = entry["status"]?.string ?? ""
            guard let change = Self.change(job, status) else { continue }
            runtime?.changeBlockJob(job.name) {
                $0.newState = change
                $0.error = entry["error"]?.string ?? $0.error
            }
            await updateBlockJob(job.name)
        }
        // A backup whose jobs have all gone while nobody looked is over.
        if let backup = runtime?.backup,
            !backup.document.disks.contains(where: { runtime?.blockJob(ofDisk: $0.name) != nil })
        {
            await endBackup(.failed)
        }
    }

    /// What is to be done about a job that stands as QEMU says.
    private static func change(_ job: BlockJob, _ status: String) -> BlockJob.State? {
        switch BlockJob.State(monitorStatus: status) {
        case .concluded?:
            if job.state == .failed || job.state == .completed { return job.state }
            // Asks QEMU for its progress as well.
            return .concluded
        case .ready?: return job.state == .new || job.state == .running ? .ready : nil
        case .completed?, .failed?, .cancelled?, .new?, .running?, .aborting?, .pivoting?, nil: return nil
        }
    }

    /// A job whose note in the status file makes no sense is cancelled; its images stay as they are.
    private func giveUpInvalid(_ job: BlockJob) async {
        runtime?.changeBlockJob(job.name) {
            if $0.kind != .broken { $0.brokenKind = $0.kind }
            $0.kind = .broken
        }
        let words: JSONValue = ["device": .string(job.name), "force": true]
        if (try? await command("block-job-cancel", words)) == nil {
            Self.log.warning("cannot cancel the block job '\(job.name)' of '\(name)', whose data makes no sense")
            runtime?.blockJobs.removeAll { $0.name == job.name }
        }
    }
}
