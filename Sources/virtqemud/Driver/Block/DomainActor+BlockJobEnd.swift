import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// What follows a block job that did its work: the chain is as the job made it, and so is the persistent definition where
/// it named the same images.
extension DomainActor {
    /// The images between the top one and the base are no longer part of the disk.
    func finishPull(_ job: BlockJob) async {
        guard let target = job.disk, let disk = liveDisk(target), let top = disk.imageChain.images.first else { return }
        let chain = disk.imageChain
        let base = chain.position(job.base)
        if job.base != nil, base == nil { return }
        let isKnown = configHas(disk, downTo: base)
        await mergeBitmaps(
            .init(
                images: Array(chain.images[..<(base ?? chain.images.count)]), chain: chain.images, target: top))
        let gone = Array(chain.images[1..<max(1, base ?? chain.images.count)])
        changeLiveDisk(target) { $0.imageChain = Self.pulled(chain, base) }
        await changeConfigDisk(target) { config in
            if isKnown {
                config.imageChain = Self.pulled(config.imageChain, base)
            } else if Self.isSameTop(config, disk) {
                config.backingStore = nil
            }
        }
        await drop(gone)
    }

    private static func pulled(_ chain: ImageChain, _ base: Int?) -> ImageChain {
        guard let base else { return ImageChain(Array(chain.images.prefix(1)), isTerminated: true) }
        return ImageChain(
            Array(chain.images.prefix(1) + chain.images.dropFirst(max(1, base))), isTerminated: chain.isTerminated)
    }

    /// The images from the job's top down to above its base went into the base.
    func finishCommit(_ job: BlockJob) async {
        guard let target = job.disk, let disk = liveDisk(target) else { return }
        let chain = disk.imageChain
        guard let top = chain.position(job.top), let base = chain.position(job.base), top > 0, base > top else {
            return
        }
        let isKnown = configHas(disk, downTo: base)
        await mergeCommitted(chain, top, base, disk, isActive: false)
        let gone = Array(chain.images[top..<base])
        func without(_ chain: ImageChain) -> ImageChain {
            ImageChain(
                Array(chain.images.prefix(top) + chain.images.dropFirst(base)), isTerminated: chain.isTerminated)
        }
        changeLiveDisk(target) { $0.imageChain = without(chain) }
        await changeConfigDisk(target) { config in
            if isKnown {
                config.imageChain = without(config.imageChain)
            } else if Self.isSameTop(config, disk) {
                config.backingStore = nil
            }
        }
        await unlock(disk.lockSubject(of: chain.images[base].source))
        await drop(gone)
        if job.deletesImages { await delete(gone) }
    }

    /// The base is now what the guest sees.
    func finishActiveCommit(_ job: BlockJob) async {
        guard let target = job.disk, let disk = liveDisk(target) else { return }
        let chain = disk.imageChain
        guard let base = chain.position(job.base), base > 0 else { return }
        let isKnown = configHas(disk, downTo: base)
        let gone = Array(chain.images[..<base])
        let rest = ImageChain(Array(chain.images[base...]), isTerminated: chain.isTerminated)
        await changeConfigDisk(target) { config in
            if isKnown {
                let known = config.imageChain
                config.imageChain = ImageChain(
                    Array(known.images.dropFirst(base)), isTerminated: known.isTerminated)
            } else {
                Self.rewrite(&config, disk, rest)
            }
        }
        await moveOwner(from: chain.images[0], to: rest.images[0])
        changeLiveDisk(target) {
            $0.imageChain = rest
            $0.mirror = nil
        }
        await unlock(disk.lockSubject)
        await mergeCommitted(chain, 0, base, disk, isActive: true)
        await drop(gone)
        if job.deletesImages { await delete(gone) }
    }

    func failActiveCommit(_ job: BlockJob) async {
        guard let target = job.disk, let disk = liveDisk(target) else { return }
        if let mirror = disk.mirror?.imageChain.images.first {
            await attempt(
                "block-dirty-bitmap-remove",
                [
                    "node": .string(ImageNodes.formatName(mirror.source.index)),
                    "name": .string(BitmapActions.activeWrite),
                ])
        }
        await unlock(disk.mirrorLockSubject)
        changeLiveDisk(target) { $0.mirror = nil }
    }

    /// The copy is now what the guest sees.
    func finishPivot(_ job: BlockJob) async {
        guard let target = job.disk, let disk = liveDisk(target), let mirror = disk.mirror else { return }
        let old = disk.imageChain
        var new = mirror.imageChain
        guard let copy = new.images.first else { return }
        let isShallow = (job.flags ?? 0) & BlockCopyFlags.shallow != 0
        await mergeBitmaps(
            .init(
                images: isShallow ? Array(old.images.prefix(1)) : old.images, chain: old.images, target: copy,
                writeSource: copy))
        var gone = old.images
        if job.isShallowNew, new.images.count == 1 {
            // The copy stands on what the old image stood on.
            new = ImageChain([copy] + old.images.dropFirst(), isTerminated: old.isTerminated)
            gone = Array(old.images.prefix(1))
        }
        if disk.readonly { try? await reopen(copy, in: new, of: disk, isReadonly: true) }
        await changeConfigDisk(target) { Self.rewrite(&$0, disk, new) }
        changeLiveDisk(target) {
            $0.imageChain = new
            $0.mirror = nil
        }
        await unlock(disk.lockSubject)
        await drop(gone)
    }

    /// The copy is given up.
    func dropMirror(_ job: BlockJob) async {
        guard let target = job.disk, let disk = liveDisk(target), let mirror = disk.mirror else { return }
        await unlock(disk.mirrorLockSubject)
        changeLiveDisk(target) { $0.mirror = nil }
        await drop(mirror.imageChain.images)
    }

    private func delete(_ images: [ChainImage]) async {
        for image in images where image.source.type == .file {
            if let path = image.source.path { await removeFile(path) }
        }
    }

    // MARK: Bitmaps

    private func mergeBitmaps(_ what: BitmapActions.Merge) async {
        do {
            try await transaction(BitmapActions.merge(what, try await namedNodes()))
        } catch {
            Self.log.warning("cannot merge the bitmaps of '\(name)': \(error)")
        }
    }

    private func mergeCommitted(_ chain: ImageChain, _ top: Int, _ base: Int, _ disk: Disk, isActive: Bool) async {
        guard let known = try? await namedNodes() else { return }
        let image = chain.images[base]
        let actions = BitmapActions.merge(
            .init(
                images: Array(chain.images[top..<base]), chain: Array(chain.images[top...]), target: image,
                writeSource: isActive ? image : nil), known)
        guard !actions.isEmpty else { return }
        do {
            if !isActive { try await reopen(image, in: chain, of: disk, isReadonly: false) }
            try await transaction(actions)
            if !isActive { try await reopen(image, in: chain, of: disk, isReadonly: true) }
        } catch {
            Self.log.warning("cannot merge the bitmaps of '\(name)': \(error)")
        }
    }

    // MARK: The persistent definition

    /// Changes the disk of the persistent definition, and its file when that made a difference.
    func changeConfigDisk(_ target: String, _ change: (inout Disk) -> Void) async {
        guard var domain = config, let index = domain.devices.disks.firstIndex(where: { $0.target.dev == target })
        else {
            return
        }
        change(&domain.devices.disks[index])
        guard domain != config else { return }
        do {
            try await store(domain)
            config = domain
            publish()
        } catch {
            Self.log.error("cannot save the definition of '\(name)' after a block job: \(error)")
        }
    }

    static func isSameTop(_ config: Disk, _ live: Disk) -> Bool {
        guard let one = config.imageChain.images.first, let other = live.imageChain.images.first else { return false }
        return one.isSameLocation(other)
    }

    /// Gives a definition's disk another source, when it had the running guest's.
    static func rewrite(_ config: inout Disk, _ live: Disk, _ chain: ImageChain) {
        guard isSameTop(config, live) else { return }
        // What was found by following headers is found again at the next start.
        let named = chain.images.prefix(1) + chain.images.dropFirst().prefix { !$0.isDetected }
        config.imageChain = ImageChain(
            named.map(\.withoutRuntime), isTerminated: chain.isTerminated && named.count == chain.images.count)
    }

    /// Whether the persistent definition names the very images of a running disk, down to one of them or all.
    private func configHas(_ disk: Disk, downTo last: Int?) -> Bool {
        guard let other = config?.devices.disks.first(where: { $0.target.dev == disk.target.dev })?.imageChain else {
            return false
        }
        let chain = disk.imageChain
        let count = last.map { $0 + 1 } ?? chain.images.count
        guard other.images.count >= count else { return false }
        guard zip(chain.images.prefix(count), other.images).allSatisfy({ $0.isSameLocation($1) }) else { return false }
        return last != nil || (other.images.count == count && other.isTerminated == chain.isTerminated)
    }
}
