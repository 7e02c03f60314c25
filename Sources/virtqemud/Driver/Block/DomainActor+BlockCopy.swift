import Glibc
import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtXML

/// Copying a disk to another place while the guest goes on.
extension DomainActor {
    /// What virDomainBlockCopy and virDomainBlockRebase ask for.
    struct CopyRequest: Sendable {
        /// The images of the copy; the format may be open.
        var copy: ImageChain
        /// In bytes per second.
        var bandwidth: UInt64 = 0
        var granularity: UInt32 = 0
        var bufferSize: UInt64 = 0
        var flags: UInt32 = 0

        var isShallow: Bool { flags & BlockCopyFlags.shallow != 0 }
        var reuses: Bool { flags & BlockCopyFlags.reuseExternal != 0 }
    }

    /// Starts the copy.
    func blockCopy(_ name: String, _ request: CopyRequest, _ api: String, _ client: ClientHandle) async throws {
        try request.flags.checkFlags(BlockCopyFlags.all, "qemuDomainBlockCopyCommon")
        let target = request.copy.images.first?.source
        if target?.type == .file, target?.path?.hasPrefix("/") != true {
            throw VirtError(.invalidArg, .qemu, "absolute path must be used as block copy target")
        }
        guard request.bandwidth <= UInt64(Int64.max) else {
            throw VirtError(
                .invalidArg, .qemu, "bandwidth must be less than '\(Int64.max)' bytes/s (\(Int64.max >> 20) MiB/s)")
        }
        try await withJob(.modify, api, client: client.id) {
            let disk = try self.jobDisk(name)
            try self.requireIdle(disk)
            try disk.requireBlockJobs()
            if self.isPersistent, request.flags & BlockCopyFlags.transientJob == 0 {
                throw VirtError(.operationInvalid, .qemu, "domain is not transient")
            }
            guard !disk.source.isEmpty else {
                throw VirtError(.internalError, .qemu, "unable to copy empty disk '\(disk.target.dev ?? "")'")
            }
            var request = request
            if disk.imageChain.images.count < 2 { request.flags &= ~BlockCopyFlags.shallow }
            try await self.startCopy(disk, request)
        }
    }

    private func startCopy(_ disk: Disk, _ request: CopyRequest) async throws {
        let target = disk.target.dev ?? ""
        var request = request
        try Self.settle(&request, target)
        let reusesFile = try await checkCopyTarget(&request, disk)
        var copy = request.copy
        guard let path = copy.images.first?.source.path else { throw removedError }
        let makesFile = !reusesFile && copy.images[0].source.type == .file
        if makesFile { try await createFile(path, "failed to create copy target") }
        assignNodeIndexes(&copy)
        do {
            try await allowAccess(copy.images)
            try await lock(disk.lockSubject(of: copy.images[0].source))
            try await mirror(disk, copy, request, opensExisting: request.reuses)
        } catch {
            await unlock(disk.lockSubject(of: copy.images[0].source))
            await revokeAccess(copy.images)
            if makesFile { await removeFile(path) }
            throw error
        }
    }

    /// What a copy may have below it.
    private static func settle(_ request: inout CopyRequest, _ target: String) throws(VirtError) {
        if request.copy.images.count < 2 {
            if !request.isShallow { request.copy.isTerminated = true }
        } else if !request.isShallow {
            throw VirtError(
                .invalidArg, .qemu,
                "backingStore of mirror without VIR_DOMAIN_BLOCK_COPY_SHALLOW doesn't make sense")
        }
        if request.isShallow, !request.reuses, request.copy.images.first?.format?.type == "raw" {
            throw VirtError(
                .configUnsupported, .qemu, "shallow copy of disk '\(target)' into a raw file is not possible")
        }
    }

    /// Looks at what is at the copy's place, and finds out its format.
    ///
    /// - Returns: whether what is there is used as it is.
    private func checkCopyTarget(_ request: inout CopyRequest, _ disk: Disk) async throws -> Bool {
        guard let source = request.copy.images.first?.source else { return false }
        let (reuses, target, path) = (request.reuses, disk.target.dev ?? "", source.localPath)
        let exists = try await BlockingPool.shared.run { () -> Bool in
            guard let path else { return reuses }
            return try Self.checkCopyFile(path, isBlock: source.type == .block, reuses: reuses, target)
        }
        guard request.copy.images[0].format == nil else { return exists }
        var format = DiskFormat()
        if !reuses {
            format.type = disk.driver?.type ?? "raw"
        } else if let path {
            format.type = try await BlockingPool.shared.run {
                ImageProbe.format(try FileSystem.start(of: path, ImageProbe.headerSize)).rawValue
            }
        } else {
            throw VirtError(.configUnsupported, .qemu, "reused mirror destination format must be specified")
        }
        request.copy.images[0].format = format
        return exists
    }

    private static func checkCopyFile(
        _ path: String, isBlock: Bool, reuses: Bool, _ target: String
    ) throws(VirtError) -> Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            let code = errno
            guard code == ENOENT else {
                throw .system(code, .qemu, "unable to verify existence of block copy target")
            }
            if reuses || isBlock {
                throw .system(code, .qemu, "missing destination file for disk \(target): \(path)")
            }
            return false
        }
        if status.st_mode & S_IFMT == S_IFBLK { return true }
        if status.st_size != 0, !reuses {
            throw VirtError(
                .configUnsupported, .qemu,
                "external destination file for disk \(target) already exists and is not a block device: \(path)")
        }
        if isBlock {
            throw VirtError(
                .invalidArg, .qemu,
                "blockdev flag requested for disk \(target), but file '\(path)' is not a block device")
        }
        return reuses
    }

    // MARK: QEMU

    private func mirror(_ disk: Disk, _ copy: ImageChain, _ request: CopyRequest, opensExisting: Bool) async throws {
        let target = disk.target.dev ?? ""
        var copy = copy
        let top = copy.images[0]
        if opensExisting {
            if ImageNodes(top, driver: nil).hasBacking, copy.images.count < 2, !copy.isTerminated {
                copy = try await detectedChain(copy)
            }
            // The chain of a copy that is there already is opened when the guest is switched over.
            try await openImages([copy.images[0]], of: disk, depth: 0)
        } else {
            try await createCopy(disk, copy, request)
        }
        var job = BlockJob(
            .copy, name: BlockJob.name("copy", target, disk.source.index), disk: target, flags: request.flags)
        job.isShallowNew = request.isShallow && !request.reuses
        job.hasMirror = true
        do {
            let arguments = Self.mirrorWords(disk, copy, request, job.name)
            let shown = Self.shown(copy)
            changeLiveDisk(target) { $0.mirror = shown }
            try await start(job) { try await self.command("blockdev-mirror", arguments) }
            await saveStatus()
        } catch {
            changeLiveDisk(target) { $0.mirror = nil }
            await closeImages(opensExisting ? [copy.images[0]] : copy.images)
            publish()
            throw error
        }
    }

    private static func shown(_ copy: ImageChain) -> DiskMirror {
        var mirror = DiskMirror()
        mirror.job = .copy
        mirror.imageChain = copy
        return mirror
    }

    private static func mirrorWords(
        _ disk: Disk, _ copy: ImageChain, _ request: CopyRequest, _ name: String
    ) -> JSONValue {
        var words: JSONObject = [
            "job-id": .string(name), "device": .string(disk.topNode),
            "target": .string(ImageNodes.formatName(copy.images.first?.source.index)),
        ]
        if request.bandwidth != 0 { words["speed"] = .integer(request.bandwidth) }
        if request.granularity != 0 { words["granularity"] = .integer(request.granularity) }
        if request.bufferSize != 0 { words["buf-size"] = .integer(request.bufferSize) }
        words["sync"] = .string(request.isShallow ? "top" : "full")
        words.finishByClient()
        return .object(words)
    }

    /// Makes the image that is copied to, on top of what the copy is to have below it.
    private func createCopy(_ disk: Disk, _ copy: ImageChain, _ request: CopyRequest) async throws {
        let known = try await namedNodes()
        let top = copy.images[0]
        var new = try NewImage(top, like: disk.imageChain.images[0], known)
        new.isTop = true
        let below = Array(copy.images.dropFirst())
        if !below.isEmpty {
            try await openImages(below, of: disk, depth: 1)
            new.backing = below.first
        } else if request.isShallow {
            new.backing = disk.imageChain.images.dropFirst().first
        }
        if let index = new.backing?.source.index { new.node = .node(index) }
        do {
            try await createImage(new, of: disk, chain: below.isEmpty ? nil : ImageChain(below, isTerminated: true))
        } catch {
            await closeImages(below)
            throw error
        }
    }

    /// The images below an image that is there, by its header.
    func detectedChain(_ chain: ImageChain) async throws -> ImageChain {
        var disk = Disk()
        disk.imageChain = chain
        disk.backingStore = nil
        let found = disk
        let configuration = driver.configuration
        var full = try await BlockingPool.shared.run {
            var disk = found
            try disk.followChain(configuration)
            return disk.imageChain
        }
        assignNodeIndexes(&full)
        try await allowAccess(Array(full.images.dropFirst()), remember: false)
        return full
    }
}

extension ImageChain {
    /// Reads the `<disk>` document that says where a copy goes.
    static func parse(copy text: String) throws -> ImageChain {
        let root = try XMLDocument.root("disk", of: Array(text.utf8), name: "disk_definition", domain: .domain)
        let disk: Disk = try ElementReader.read(root, flags: .inactive)
        guard !disk.source.isEmpty else {
            throw VirtError(.internalError, .domain, "missing source of disk")
        }
        return disk.imageChain
    }
}
