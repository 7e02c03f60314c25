import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC

/// Writing what images have into one below them.
extension DomainActor {
    /// What virDomainBlockCommit asks for.
    struct CommitRequest: Sendable {
        var base: String?
        var top: String?
        var bandwidth: UInt64
        var flags: UInt32

        func has(_ flag: UInt32) -> Bool { flags & flag != 0 }
    }

    /// virDomainBlockCommit.
    func blockCommit(_ name: String, _ request: CommitRequest, _ client: ClientHandle) async throws {
        try request.flags.checkFlags(BlockCommitFlags.all, "qemuDomainBlockCommit")
        try await withJob(.modify, "virDomainBlockCommit", client: client.id) {
            _ = try self.running()
            let speed = try BlockBandwidth.bytes(request.bandwidth, isBytes: request.has(BlockCommitFlags.bytes))
            let disk = try self.jobDisk(name)
            try disk.requireBlockJobs()
            guard !disk.source.isEmpty else {
                throw VirtError(
                    .configUnsupported, .qemu,
                    "disk \(disk.target.dev ?? "") has no source file to be committed")
            }
            try self.requireIdle(disk)
            let (top, base) = try Self.range(disk, name, request)
            try await self.startCommit(disk, top, base, speed, request)
        }
    }

    /// The positions of the uppermost image that is committed and of the one that takes it in.
    private static func range(
        _ disk: Disk, _ name: String, _ request: CommitRequest
    ) throws(VirtError) -> (top: Int, base: Int) {
        let target = disk.target.dev ?? ""
        let chain = disk.imageChain
        let top = request.top == nil || request.top == target ? 0 : try chain.find(request.top, disk: target)
        let topPath = chain.images[top].source.path ?? ""
        if top == 0, !request.has(BlockCommitFlags.active) {
            throw VirtError(.invalidArg, .qemu, "commit of '\(target)' active layer requires active flag")
        }
        if top != 0, request.has(BlockCommitFlags.active) {
            throw VirtError(.invalidArg, .qemu, "active commit requested but '\(topPath)' is not active")
        }
        guard top + 1 < chain.images.count else {
            throw VirtError(
                .invalidArg, .qemu, "top '\(topPath)' in chain for '\(name)' has no backing file")
        }
        let isShallow = request.has(BlockCommitFlags.shallow)
        let base =
            request.base == nil && isShallow ? top + 1 : try chain.find(request.base, below: top, disk: target)
        guard !isShallow || base == top + 1 else {
            throw VirtError(
                .invalidArg, .qemu,
                "base '\(request.base ?? "")' is not immediately below '\(topPath)' in chain for '\(name)'")
        }
        return (top, base)
    }

    private func startCommit(
        _ disk: Disk, _ top: Int, _ base: Int, _ speed: UInt64, _ request: CommitRequest
    ) async throws {
        let target = disk.target.dev ?? ""
        let chain = disk.imageChain
        let (topImage, baseImage) = (chain.images[top], chain.images[base])
        var job = BlockJob(
            top == 0 ? .activeCommit : .commit, name: BlockJob.name("commit", target, topImage.source.index),
            disk: target, flags: request.flags)
        job.base = baseImage.source.index
        job.top = topImage.source.index
        job.topParent = top > 0 ? chain.images[top - 1].source.index : nil
        job.deletesImages = request.has(BlockCommitFlags.delete)
        var words: JSONObject = ["device": .string(disk.topNode), "job-id": .string(job.name)]
        if speed != 0 { words["speed"] = .integer(speed) }
        words["top-node"] = .string(ImageNodes.formatName(job.top))
        words["base-node"] = .string(ImageNodes.formatName(job.base))
        if top > 0 {
            words["backing-file"] = .string(
                request.has(BlockCommitFlags.relative)
                    ? try await relativePath(chain, above: top - 1, base) : try baseImage.backingString())
        }
        words.finishByClient()
        try await allowAccess([baseImage], remember: false)
        if top > 1 { try await allowAccess([chain.images[top - 1]], remember: false) }
        let arguments = JSONValue.object(words)
        let written = disk.lockSubject(of: baseImage.source)
        try await lock(written)
        do {
            try await start(job) { try await self.command("block-commit", arguments) }
        } catch {
            await unlock(written)
            throw error
        }
        if top == 0 { changeLiveDisk(target) { $0.mirror = Self.mirror(baseImage) } }
        await saveStatus()
    }

    /// The base as the live XML shows it while its new content is written.
    private static func mirror(_ image: ChainImage) -> DiskMirror {
        var mirror = DiskMirror()
        mirror.job = .activeCommit
        mirror.source = image.source
        mirror.format = image.format
        return mirror
    }
}
