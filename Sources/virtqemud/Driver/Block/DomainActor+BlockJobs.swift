import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// Block jobs from their start to what is done after them. QEMU reports a job's state; acting upon it takes the domain's
/// job, so what was reported waits in `newState` until somebody has that.
extension DomainActor {
    /// How long a call waits for a job to end.
    private static let patience: Duration = .seconds(600)

    // MARK: Starting

    /// Notes a job before QEMU hears of it: its events can come before the answer.
    func register(_ job: BlockJob) throws {
        guard runtime?.blockJob(job.name) == nil, job.disk.flatMap({ runtime?.blockJob(ofDisk: $0) }) == nil else {
            throw VirtError(
                .internalError, .qemu, "disk '\(job.disk ?? job.name)' has a blockjob assigned")
        }
        runtime?.blockJobs.append(job)
    }

    /// Starts a job; it is forgotten again when QEMU does not take it.
    func start(_ job: BlockJob, _ body: () async throws -> Void) async throws {
        try register(job)
        await saveStatus()
        do {
            try await body()
        } catch {
            await forget(job.name)
            throw error
        }
        runtime?.changeBlockJob(job.name) { if $0.state == .new { $0.state = .running } }
    }

    /// Starts a job and sees to its end.
    func runSynchronously(_ job: BlockJob, _ body: () async throws -> Void) async throws -> BlockJob {
        var job = job
        job.isSynchronous = true
        try await start(job, body)
        return try await waitForEnd(of: job.name)
    }

    func forget(_ name: String) async {
        runtime?.blockJobs.removeAll { $0.name == name }
        await saveStatus()
    }

    // MARK: What QEMU reports

    /// JOB_STATUS_CHANGE.
    func blockJobChanged(_ data: JSONValue) {
        guard let name = data["id"]?.string, let status = data["status"]?.string,
            let state = BlockJob.State(monitorStatus: status), let job = runtime?.blockJob(name)
        else { return }
        runtime?.changeBlockJob(name) { $0.newState = state }
        if job.isSynchronous {
            wakeBlockJobWaiters()
        } else {
            updateSoon(name)
        }
    }

    /// Acts upon what was reported as soon as no other job changes the domain.
    func updateSoon(_ name: String) {
        let guest = generation
        Task {
            while guest == self.generation, self.runtime?.blockJob(name)?.newState != nil {
                do {
                    try await self.withJob(.modify, "block job") {
                        guard guest == self.generation, self.runtime?.blockJob(name)?.isSynchronous == false else {
                            return
                        }
                        await self.updateBlockJob(name)
                    }
                    return
                } catch {
                    Self.log.warning("block job '\(name)' of '\(self.name)' waits: \(error)")
                }
                guard !self.isRemoved else { return }
            }
        }
    }

    func wakeBlockJobWaiters() {
        let waiters = blockJobWaiters
        blockJobWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// Waits until a job is over, and does what is to be done then.
    func waitForEnd(of name: String) async throws -> BlockJob {
        let guest = generation
        let deadline = MonotonicTime.now() + Self.patience
        while true {
            guard guest == generation, runtime != nil, !monitorEnded, let job = runtime?.blockJob(name) else {
                throw VirtError(.operationFailed, .qemu, "domain is not running")
            }
            if job.newState != nil {
                let after = await updateBlockJob(name)
                if let after, !after.state.isRunning, after.state != .new { return after }
                continue
            }
            guard MonotonicTime.now() < deadline else {
                throw VirtError(.operationTimeout, .qemu, "block job '\(name)' does not end")
            }
            await nextBlockJobChange()
        }
    }

    private func nextBlockJobChange() async {
        await withCheckedContinuation { continuation in
            blockJobWaiters.append(continuation)
            loop.schedule(after: .seconds(30), name: "block job") { [weak self] in
                self?.assumeIsolated { $0.wakeBlockJobWaiters() }
            }
        }
    }

    // MARK: Acting upon it

    /// Acts upon what was reported of a job. Under the domain's job.
    ///
    /// - Returns: the job as it is now; it is no longer known when it has ended.
    @discardableResult
    func updateBlockJob(_ name: String) async -> BlockJob? {
        guard let job = runtime?.blockJob(name), let reported = job.newState else { return runtime?.blockJob(name) }
        switch reported {
        case .ready:
            // A job that is being ended can become ready once more.
            if job.state == .new || job.state == .running { await becameReady(job) }
            runtime?.changeBlockJob(name) { $0.newState = nil }
            return runtime?.blockJob(name)
        case .completed, .failed, .cancelled, .concluded:
            return await conclude(job)
        case .new, .running, .aborting, .pivoting:
            runtime?.changeBlockJob(name) { $0.newState = nil }
            return runtime?.blockJob(name)
        }
    }

    private func becameReady(_ job: BlockJob) async {
        if let target = job.disk { changeLiveDisk(target) { $0.mirror?.ready = .yes } }
        runtime?.changeBlockJob(job.name) { $0.state = .ready }
        publish()
        emit(job, .ready)
        await saveStatus()
    }

    /// Tells clients of a job's state. The older event names the disk's file, which only local disks have.
    func emit(_ job: BlockJob, _ state: BlockJob.State) {
        guard let target = job.disk, let type = job.kind.number, let status = state.number,
            let disk = liveDisk(target)
        else { return }
        emit(.blockJob(path: disk.source.localPath, target: target, type: type, status: status))
    }

    /// How far a job has come.
    struct Progress: Sendable, Equatable {
        var current: UInt64 = 0
        var total: UInt64 = 0
    }

    private func conclude(_ job: BlockJob) async -> BlockJob? {
        let guest = generation
        var job = job
        var progress = Progress()
        if job.newState == .concluded, let jobs = try? await command("query-jobs") {
            if let entry = jobs.array?.first(where: { $0["id"]?.string == job.name }) {
                progress.current = entry["current-progress"]?.integer() ?? 0
                progress.total = entry["total-progress"]?.integer() ?? 0
                job.error = entry["error"]?.string
            }
            job.newState = job.error == nil ? .completed : .failed
        }
        await attempt("job-dismiss", ["id": .string(job.name)])
        guard guest == generation, runtime != nil else { return nil }
        var end = job.newState ?? .completed
        if job.state == .aborting, end == .completed || end == .failed { end = .cancelled }
        await finish(job, as: end, progress)
        guard guest == generation, runtime != nil else { return nil }
        publish()
        emit(job, end)
        job.state = end
        job.newState = nil
        await forget(job.name)
        return job
    }

    private func finish(_ job: BlockJob, as end: BlockJob.State, _ progress: Progress) async {
        let isSuccess = end == .completed
        if job.disk == nil, job.kind != .create { await giveUp(job) }
        switch job.kind {
        case .pull: if isSuccess { await finishPull(job) }
        case .commit: if isSuccess { await finishCommit(job) }
        case .activeCommit:
            if isSuccess { await finishActiveCommit(job) } else { await failActiveCommit(job) }
        case .copy:
            if job.state == .pivoting, isSuccess { await finishPivot(job) } else { await dropMirror(job) }
        case .create: await finishCreate(job)
        case .backup: await finishBackup(job, end, progress)
        case .broken: break
        }
    }

    /// A job whose disk has gone leaves its images behind.
    private func giveUp(_ job: BlockJob) async {
        if let chain = job.chain { await drop(chain.images) }
        if let chain = job.mirrorChain { await drop(chain.images) }
    }

    /// Nobody waits any more for an image to be formatted: the daemon was restarted meanwhile.
    private func finishCreate(_ job: BlockJob) async {
        guard !job.isSynchronous, let image = job.image else { return }
        if !job.makesStorage {
            await attempt(
                "blockdev-del", ["node-name": .string(ImageNodes.storageName(image.source.index))])
        }
        await revokeAccess([image])
        if let chain = job.chain { await drop(chain.images) }
    }
}
