import Glibc
import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// Images that come into a running guest's chains and go from them. All under the domain's job.
extension DomainActor {
    /// The live disk with a target name.
    func liveDisk(_ target: String) -> Disk? { live?.devices.disks.first { $0.target.dev == target } }

    /// Changes a disk of the running guest, if it is still there.
    func changeLiveDisk(_ target: String, _ change: (inout Disk) -> Void) {
        guard let index = live?.devices.disks.firstIndex(where: { $0.target.dev == target }) else { return }
        if var disk = live?.devices.disks[index] {
            change(&disk)
            live?.devices.disks[index] = disk
        }
    }

    /// The number of the next image; it is never given out again while the guest lives.
    func nextNodeIndex() -> UInt32 {
        let next = (runtime?.nodeIndex ?? 0) &+ 1
        runtime?.nodeIndex = next
        return next
    }

    /// Numbers the images of a chain that have no number.
    func assignNodeIndexes(_ chain: inout ImageChain) {
        for position in chain.images.indices where chain.images[position].source.index == nil {
            chain.images[position].source.index = nextNodeIndex()
        }
    }

    func namedNodes() async throws -> NamedNodes {
        NamedNodes(try await command("query-named-block-nodes", ["flat": true]))
    }

    func transaction(_ actions: [JSONValue]) async throws {
        guard !actions.isEmpty else { return }
        try await command("transaction", ["actions": .array(actions)])
    }

    // MARK: Nodes

    /// The words for an image of a disk.
    func nodes(_ image: ChainImage, of disk: Disk?, isTop: Bool, isReadonly: Bool) -> ImageNodes {
        var nodes = ImageNodes(image, driver: disk?.effectiveDriver)
        nodes.isTop = isTop
        nodes.isReadonly = isReadonly
        return nodes
    }

    /// Opens images in QEMU, the deepest first; what was opened is closed again when one fails.
    ///
    /// - Parameters:
    ///   - depth: how far below its disk's top the first image is.
    ///   - below: what the last image has below it.
    func openImages(_ images: [ChainImage], of disk: Disk?, depth: Int, below: ImageNodes.Backing = .none) async throws
    {
        var opened: [String] = []
        do {
            var backing = below
            for (position, image) in images.enumerated().reversed() {
                let words = nodes(
                    image, of: disk, isTop: depth + position == 0, isReadonly: depth + position > 0)
                try await command("blockdev-add", .object(words.storage))
                opened.append(ImageNodes.storageName(image.source.index))
                try await command("blockdev-add", .object(words.format(backing)))
                opened.append(ImageNodes.formatName(image.source.index))
                if let index = image.source.index { backing = .node(index) }
            }
        } catch {
            for name in opened.reversed() { await attempt("blockdev-del", ["node-name": .string(name)]) }
            throw error
        }
    }

    /// Closes images in QEMU, the top one first.
    func closeImages(_ images: [ChainImage]) async {
        for image in images {
            let index = image.source.index
            await attempt("blockdev-del", ["node-name": .string(ImageNodes.formatName(index))])
            await attempt("blockdev-del", ["node-name": .string(ImageNodes.storageName(index))])
        }
    }

    /// Closes images and gives their files back.
    func drop(_ images: [ChainImage]) async {
        await closeImages(images)
        await revokeAccess(images)
    }

    /// Opens an image again with other rights.
    func reopen(_ image: ChainImage, in chain: ImageChain, of disk: Disk?, isReadonly: Bool) async throws {
        let position = chain.position(image.source.index) ?? 0
        let below = chain.images.dropFirst(position + 1).first?.source.index
        let words = nodes(image, of: disk, isTop: position == 0, isReadonly: isReadonly)
        let options: JSONValue = .object(words.format(below.map { .node($0) } ?? .none))
        try await command("blockdev-reopen", ["options": [options]])
    }

    // MARK: Files

    /// Makes images QEMU's; only the first one's owner is remembered, and only when it is written.
    func allowAccess(_ images: [ChainImage], remember: Bool = true) async throws {
        guard driver.configuration.dynamicOwnership, !driver.paths.isSession else { return }
        let files = Self.files(images, remember: remember)
        let owner = driver.owner
        try await BlockingPool.shared.run {
            for file in files { try owner.take(file.path, remember: file.remembered) }
        }
        let known = Set(runtime?.ownedFiles.map(\.path) ?? [])
        runtime?.ownedFiles += files.filter { $0.remembered || !known.contains($0.path) }
    }

    private static func files(_ images: [ChainImage], remember: Bool) -> [GuestRuntime.OwnedFile] {
        images.enumerated().compactMap { position, image in
            guard image.source.fdGroup == nil, let path = image.source.localPath,
                !image.source.labels.contains(where: { $0.relabel == false })
            else { return nil }
            return GuestRuntime.OwnedFile(path: path, remembered: remember && position == 0)
        }
    }

    /// Gives the images' files back to their owners.
    func revokeAccess(_ images: [ChainImage]) async {
        let paths = Set(images.compactMap(\.source.localPath))
        let files = runtime?.ownedFiles.filter { paths.contains($0.path) } ?? []
        runtime?.ownedFiles.removeAll { paths.contains($0.path) }
        await giveBack(files)
    }

    /// One image takes another's place: what is remembered of the owner goes with it.
    func moveOwner(from old: ChainImage, to new: ChainImage) async {
        guard let from = old.source.localPath, let to = new.source.localPath, from != to else { return }
        let owner = driver.owner
        _ = try? await BlockingPool.shared.run { owner.move(from: from, to: to) }
        guard let file = runtime?.ownedFiles.first(where: { $0.path == from && $0.remembered }) else { return }
        runtime?.ownedFiles.removeAll { $0 == file || $0.path == to }
        runtime?.ownedFiles.append(.init(path: to, remembered: true))
        runtime?.ownedFiles.append(.init(path: from, remembered: false))
    }

    /// Makes an empty file for a new image.
    ///
    /// - Throws: the system's reason with `failure` before it.
    func createFile(_ path: String, _ failure: String) async throws {
        try await BlockingPool.shared.run {
            let file = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw VirtError.system(errno, .qemu, failure) }
            Glibc.close(file)
        }
    }

    func removeFile(_ path: String) async {
        _ = try? await BlockingPool.shared.run { try FileSystem.remove(path) }
    }
}

// MARK: New images

/// An image that is to be formatted by QEMU and opened.
struct NewImage: Sendable {
    var image: ChainImage
    /// What the header names as the image below.
    var backing: ChainImage?
    /// What the format node has below it.
    var node: ImageNodes.Backing = .none
    /// Bytes that the guest sees, and that the image it is a copy of takes.
    var capacity: UInt64
    var physical: UInt64
    var clusterSize: UInt64?
    /// Whether the guest will see it as a disk.
    var isTop = false

    /// - Parameter template: the image whose size the new one gets.
    init(_ image: ChainImage, like template: ChainImage, _ known: NamedNodes) throws(VirtError) {
        guard let node = known.node(template) else {
            throw VirtError(
                .internalError, .qemu,
                "failed to update capacity data for block node '\(ImageNodes.formatName(template.source.index))'")
        }
        self.image = image
        capacity = node.capacity
        physical = image.formatName == "raw" ? node.capacity : node.physical
        if image.formatName == "qcow2", template.formatName == "qcow2" { clusterSize = node.clusterSize }
    }

    /// The options of `blockdev-create` that format the image; nil when there is nothing to format.
    func formatOptions() throws(VirtError) -> JSONObject? {
        let drivers = [
            "qcow2": "qcow2", "qcow": "qcow", "qed": "qed", "vpc": "vpc", "ploop": "parallels", "vdi": "vdi",
            "vhd": "vhdx", "vmdk": "vmdk",
        ]
        if image.formatName == "raw", image.source.encryption == nil { return nil }
        guard let driver = drivers[image.formatName], image.source.encryption == nil else {
            throw VirtError(
                .operationUnsupported, .qemu, "can't create storage format '\(image.formatName)'")
        }
        var options: JSONObject = [
            "driver": .string(driver), "file": .string(ImageNodes.storageName(image.source.index)),
            "size": .integer(capacity),
        ]
        if image.formatName == "qcow2" { options["cluster-size"] = clusterSize.map { .integer($0) } }
        guard let backing, ["qcow2", "qcow", "qed", "vmdk"].contains(image.formatName) else { return options }
        options["backing-file"] = .string(try backing.backingString())
        if ["qcow2", "qed"].contains(image.formatName) { options["backing-fmt"] = .string(backing.formatName) }
        return options
    }

    /// The options that make the image's file as large as it has to be; nil when it grows by itself.
    var storageOptions: JSONObject? {
        guard image.formatName == "raw", image.source.type == .file, let path = image.source.path else { return nil }
        return ["driver": "file", "filename": .string(path), "size": .integer(physical)]
    }
}

extension ChainImage {
    /// What another image's header says to name this one below it.
    func backingString() throws(VirtError) -> String {
        if source.slices.isEmpty, let path = source.localPath { return path }
        let storage = ImageNodes(self, driver: nil).storage
        var target = storage
        for key in ["node-name", "cache", "auto-read-only", "discard", "aio"] { target[key] = nil }
        var file: JSONValue = .object(target)
        if let slice = source.slices.first {
            file = ["driver": "raw", "offset": .integer(slice.offset), "size": .integer(slice.size), "file": file]
        }
        return #"json:{"file":"# + String(decoding: file.serialized(), as: UTF8.self) + "}"
    }
}

extension DomainActor {
    /// Formats an image and opens it; its file is there already and is QEMU's. Nothing stays open on failure.
    ///
    /// - Parameter chain: images that a restart in the middle gives up with the new one.
    func createImage(_ new: NewImage, of disk: Disk?, chain: ImageChain? = nil) async throws {
        guard new.image.source.slices.isEmpty else {
            throw VirtError(
                .operationUnsupported, .qemu, "creation of images with slice type='storage' is not supported")
        }
        let words = nodes(new.image, of: disk, isTop: new.isTop, isReadonly: false)
        let format = try new.formatOptions()
        if let options = new.storageOptions {
            try await runCreate(options, ImageNodes.storageName(new.image.source.index), new.image, true, chain)
        }
        try await command("blockdev-add", .object(words.storage))
        do {
            if let format {
                try await runCreate(format, ImageNodes.formatName(new.image.source.index), new.image, false, chain)
            }
            try await command("blockdev-add", .object(words.format(new.node)))
        } catch {
            await attempt(
                "blockdev-del", ["node-name": .string(ImageNodes.storageName(new.image.source.index))])
            throw error
        }
    }

    private func runCreate(
        _ options: JSONObject, _ node: String, _ image: ChainImage, _ isStorage: Bool, _ chain: ImageChain?
    ) async throws {
        var job = BlockJob(.create, name: "create-\(node)")
        job.image = image
        job.makesStorage = isStorage
        job.chain = chain
        let done = try await runSynchronously(job) {
            try await self.command(
                "blockdev-create", ["job-id": .string(job.name), "options": .object(options)])
        }
        switch done.state {
        case .failed: throw VirtError(.operationFailed, .qemu, "failed to format image: '\(done.error ?? "")'")
        case .cancelled: throw VirtError(.operationFailed, .qemu, "blockdev-create job was cancelled")
        case .completed, .ready, .new, .running, .concluded, .aborting, .pivoting: break
        }
    }
}
