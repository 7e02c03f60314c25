import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC

/// Copying what lies below an image into it.
extension DomainActor {
    /// virDomainBlockPull, and virDomainBlockRebase with an image that stays below.
    func blockPull(
        _ name: String, base: String?, bandwidth: UInt64, flags: UInt32, _ api: String, _ client: ClientHandle
    ) async throws {
        guard base != nil || flags & BlockRebaseFlags.relative == 0 else {
            throw VirtError(
                .invalidArg, .qemu, "flag VIR_DOMAIN_BLOCK_REBASE_RELATIVE is valid only with non-null base")
        }
        try await withJob(.modify, api, client: client.id) {
            let disk = try self.jobDisk(name)
            try self.requireIdle(disk)
            try disk.requireBlockJobs()
            let target = disk.target.dev ?? ""
            let chain = disk.imageChain
            let base = try base.map { try chain.find($0, below: 0, disk: target) }
            var job = BlockJob(
                .pull, name: BlockJob.name("pull", target, disk.source.index), disk: target, flags: flags)
            var words: JSONObject = ["device": .string(ImageNodes.formatName(disk.source.index))]
            words["job-id"] = .string(job.name)
            let speed = try BlockBandwidth.bytes(bandwidth, isBytes: flags & BlockRebaseFlags.bytes != 0)
            if speed != 0 { words["speed"] = .integer(speed) }
            if let base {
                job.base = chain.images[base].source.index
                words["base-node"] = .string(ImageNodes.formatName(job.base))
                words["backing-file"] = .string(
                    flags & BlockRebaseFlags.relative != 0
                        ? try await self.relativePath(chain, above: 0, base) : try chain.images[base].backingString())
            }
            words.finishByClient()
            let arguments = JSONValue.object(words)
            try await self.start(job) { try await self.command("block-stream", arguments) }
            await self.saveStatus()
        }
    }

    /// How an image below can be named from the directory of another one, if all images between say relative names.
    func relativePath(_ chain: ImageChain, above: Int, _ base: Int) async throws -> String {
        let names = try await RelativeNames.read(chain)
        guard let path = RelativeNames.join(Array(names[(above + 1)...base])) else {
            throw VirtError(.operationInvalid, .qemu, "can't keep relative backing relationship")
        }
        return path
    }
}

extension JSONObject {
    /// The job goes on by itself, and stays known until it is dismissed.
    mutating func finishByClient() {
        self["auto-finalize"] = true
        self["auto-dismiss"] = false
    }
}
