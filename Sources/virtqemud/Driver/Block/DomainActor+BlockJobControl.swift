import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// What clients do with a block job that runs.
extension DomainActor {
    /// VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC and _PIVOT.
    private static let asyncFlag: UInt32 = 1
    private static let pivotFlag: UInt32 = 2

    private func job(ofDisk disk: Disk) throws -> BlockJob {
        let target = disk.target.dev ?? ""
        guard let job = runtime?.blockJob(ofDisk: target) else {
            throw VirtError(.invalidArg, .qemu, "disk \(target) does not have an active block job")
        }
        return job
    }

    /// virDomainBlockJobAbort: cancels the job, or switches the guest over to its copy.
    func blockJobAbort(_ name: String, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(Self.asyncFlag | Self.pivotFlag, "qemuDomainBlockJobAbort")
        try await withJob(.modify, "virDomainBlockJobAbort", client: client.id) {
            let disk = try self.jobDisk(name)
            let job = try self.job(ofDisk: disk)
            guard job.state != .aborting, job.state != .pivoting else {
                throw VirtError(
                    .operationInvalid, .qemu, "block job on disk '\(disk.target.dev ?? "")' is still being ended")
            }
            let waits = flags & Self.asyncFlag == 0
            if waits { self.runtime?.changeBlockJob(job.name) { $0.isSynchronous = true } }
            do {
                try await self.end(job, disk, pivots: flags & Self.pivotFlag != 0)
                guard waits else { return }
                let done = try await self.waitForEnd(of: job.name)
                guard flags & Self.pivotFlag != 0, done.state == .failed else { return }
                throw VirtError(
                    .operationFailed, .qemu,
                    "block job '\(job.name)' failed while pivoting" + (done.error.map { ": " + $0 } ?? ""))
            } catch {
                self.leaveToItself(job.name)
                throw error
            }
        }
    }

    /// A job whose call is over ends without anybody's waiting.
    private func leaveToItself(_ name: String) {
        guard runtime?.blockJob(name) != nil else { return }
        runtime?.changeBlockJob(name) { $0.isSynchronous = false }
        updateSoon(name)
    }

    private func end(_ job: BlockJob, _ disk: Disk, pivots: Bool) async throws {
        let target = disk.target.dev ?? ""
        if pivots {
            try await pivot(job, disk)
            changeLiveDisk(target) { $0.mirror?.ready = .pivot }
        } else {
            try await command("block-job-cancel", ["device": .string(job.name), "force": false])
            changeLiveDisk(target) { $0.mirror?.ready = .abort }
        }
        runtime?.changeBlockJob(job.name) { $0.state = pivots ? .pivoting : .aborting }
        await saveStatus()
    }

    private func pivot(_ job: BlockJob, _ disk: Disk) async throws {
        guard job.state == .ready else {
            throw VirtError(.blockCopyActive, .qemu, "block job '\(job.name)' not ready for pivot yet")
        }
        let written: ChainImage?
        switch job.kind {
        case .copy: written = disk.mirror?.imageChain.images.first
        case .activeCommit:
            let chain = disk.imageChain
            written = chain.position(job.base).map { chain.images[$0] }
        case .pull, .commit, .backup, .create, .broken:
            throw VirtError(
                .operationInvalid, .qemu, "job type '\(job.kind.rawValue)' does not support pivot")
        }
        if job.kind == .copy { try await attachLateChain(job, disk) }
        if let written, job.flags != nil || job.kind == .activeCommit {
            // Without the bitmap the switch works as well; only later increments suffer.
            let add = BitmapActions.add(
                written, BitmapActions.activeWrite, persistent: false, disabled: false)
            await attempt("transaction", ["actions": [add]])
        }
        try await command("job-complete", ["id": .string(job.name)])
    }

    /// A shallow copy into an image that was there: what is below it is opened only now, so that its owner could go on
    /// filling it.
    private func attachLateChain(_ job: BlockJob, _ disk: Disk) async throws {
        let both = BlockCopyFlags.shallow | BlockCopyFlags.reuseExternal
        guard (job.flags ?? 0) & both == both, let copy = disk.mirror?.imageChain, copy.images.count > 1 else { return }
        let below = Array(copy.images.dropFirst())
        try await openImages(below, of: disk, depth: 1)
        do {
            try await transaction([
                BitmapActions.action(
                    "blockdev-snapshot",
                    [
                        "node": .string(ImageNodes.formatName(below[0].source.index)),
                        "overlay": .string(ImageNodes.formatName(copy.images[0].source.index)),
                    ])
            ])
        } catch {
            await closeImages(below)
            throw error
        }
    }

    /// virDomainBlockJobSetSpeed.
    func blockJobSetSpeed(_ name: String, bandwidth: UInt64, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(1, "qemuDomainBlockJobSetSpeed")
        let speed = try BlockBandwidth.bytes(bandwidth, isBytes: flags & 1 != 0)
        try await withJob(.modify, "virDomainBlockJobSetSpeed", client: client.id) {
            let job = try self.job(ofDisk: try self.jobDisk(name))
            try await self.command(
                "block-job-set-speed", ["device": .string(job.name), "speed": .integer(speed)])
        }
    }

    /// virDomainGetBlockJobInfo.
    func blockJobInfo(
        _ name: String, flags: UInt32, _ client: ClientHandle
    ) async throws
        -> RemoteDomainGetBlockJobInfoRet
    {
        try flags.checkFlags(1, "qemuDomainGetBlockJobInfo")
        return try await withJob(.query, "virDomainGetBlockJobInfo", client: client.id) {
            let disk = try self.jobDisk(name)
            var info = RemoteDomainGetBlockJobInfoRet(found: 0, type: 0, bandwidth: 0, cur: 0, end: 0)
            guard let job = self.runtime?.blockJob(ofDisk: disk.target.dev ?? "") else { return info }
            info.found = 1
            info.type = job.kind.number ?? 0
            let jobs = try await self.command("query-block-jobs").array ?? []
            guard let entry = jobs.first(where: { $0["device"]?.string == job.name }) else {
                info.end = 1
                return info
            }
            info.cur = entry["offset"]?.integer() ?? 0
            info.end = entry["len"]?.integer() ?? 0
            let isReady = entry["ready"]?.bool
            if info.cur == 0, info.end == 0, let isReady {
                info.end = 1
                info.cur = isReady ? 1 : 0
            }
            // Some clients take a full bar for the event that says the copy is complete.
            if isReady == false, info.cur == info.end, info.cur > 0 { info.cur -= 1 }
            let speed: UInt64 = entry["speed"]?.integer() ?? 0
            info.bandwidth = flags & 1 != 0 || speed == 0 ? speed : (speed - 1) / (1 << 20) + 1
            return info
        }
    }
}
