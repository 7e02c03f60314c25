import QEMUCommand
import VirtCore
import VirtModel
import VirtXML

/// Block jobs in status files, in C libvirt's format: either daemon goes on with the jobs of the other.
extension BlockJob {
    /// `<blockjobs>` with all jobs.
    static func format(_ jobs: [BlockJob], _ domain: Domain) throws -> String {
        let isActive =
            jobs.contains { $0.disk != nil && $0.state.isRunning }
            || domain.devices.disks.contains { $0.mirror?.job == .copy }
        var list = BlockJobList(isActive: isActive)
        list.jobs = jobs.sorted { $0.name < $1.name }.map(BlockJobRecord.init)
        return try ElementWriter.document("blockjobs", list, flags: .status, depth: 1)
    }

    /// Reads `<blockjobs>`. A job that makes no sense is kept by its name, to be cancelled.
    static func read(_ element: XMLNode?, _ domain: Domain) -> [BlockJob] {
        (element?.children("blockjob") ?? []).compactMap { node in
            if let record: BlockJobRecord = try? ElementReader.read(node, flags: .status) {
                return record.job(in: domain)
            }
            guard let name = node.attribute("name") else { return nil }
            var job = BlockJob(.broken, name: name)
            job.isInvalid = true
            return job
        }
    }
}

private struct BlockJobList: XMLMappable {
    var isActive = false
    var jobs: [BlockJobRecord] = []

    init() {}
    init(isActive: Bool) { self.isActive = isActive }

    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("active", &isActive)
        try x.elements("blockjob", &jobs)
    }
}

/// An image with its format, as jobs and backups note it (`<store type='file' format='qcow2'>`).
struct ImageRecord: Equatable, Sendable, XMLMappable {
    var source = DiskSource()
    var format = "raw"
    var backingStore: BackingStore?

    init() {}

    init(_ image: ChainImage) {
        source = image.source
        format = image.formatName
    }

    init(_ chain: ImageChain) {
        var disk = Disk()
        disk.imageChain = chain
        source = disk.source
        format = disk.driver?.type ?? format
        backingStore = disk.backingStore
    }

    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &source.type)
        try x.attribute("format", &format)
        try x.element("source", &source, always: true)
        try x.element("backingStore", &backingStore)
    }

    var image: ChainImage {
        var kind = DiskFormat()
        kind.type = format
        return ChainImage(source, format: kind)
    }

    var chain: ImageChain {
        var disk = Disk()
        disk.imageChain = ImageChain([image])
        disk.backingStore = backingStore
        return disk.imageChain
    }
}

/// One `<blockjob>`.
private struct BlockJobRecord: XMLMappable {
    private struct Node: XMLMappable {
        var name: String?

        init() {}
        init?(_ index: UInt32?) {
            guard let index else { return nil }
            name = ImageNodes.formatName(index)
        }

        mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.attribute("node", &name) }

        /// The number in `libvirt-2-format`.
        var index: UInt32? {
            let parts = name?.split(separator: "-") ?? []
            return parts.count == 3 && parts[0] == "libvirt" ? UInt32(parts[1]) : nil
        }
    }

    private var name = ""
    private var type = ""
    private var state = ""
    private var newState: String?
    private var brokenType: String?
    private var flags: String?
    private var isShallowNew: Bool?
    private var error: String?
    private var disk: String?
    private var mirror: Bool?
    private var base: Node?
    private var top: Node?
    private var topParent: Node?
    private var deletesImages = false
    private var createMode: String?
    private var source: ImageRecord?
    private var bitmap: String?
    private var store: ImageRecord?
    private var chain: ImageRecord?
    private var mirrorChain: ImageRecord?

    init() {}

    init(_ job: BlockJob) {
        name = job.name
        type = job.kind.rawValue
        state = job.state.rawValue
        newState = job.newState?.rawValue
        brokenType = job.brokenKind?.rawValue
        flags = job.flags.map { "0x" + String($0, radix: 16) }
        isShallowNew = job.isShallowNew ? true : nil
        error = job.error
        disk = job.disk
        mirror = job.hasMirror && job.disk != nil ? true : nil
        base = Node(job.base)
        top = Node(job.top)
        topParent = Node(job.topParent)
        deletesImages = job.deletesImages
        createMode = job.makesStorage ? "storage" : nil
        source = job.kind == .create ? job.image.map(ImageRecord.init) : nil
        bitmap = job.bitmap
        store = job.kind == .backup ? job.image.map(ImageRecord.init) : nil
        guard job.disk == nil else { return }
        chain = job.chain.map(ImageRecord.init)
        mirrorChain = job.mirrorChain.map(ImageRecord.init)
    }

    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("name", &name)
        try x.attribute("type", &type)
        try x.attribute("state", &state)
        try x.attribute("newstate", &newState)
        try x.attribute("brokentype", &brokenType)
        try x.attribute("jobflags", &flags)
        try x.attribute("shallownew", &isShallowNew)
        try x.textElement("errmsg", &error)
        try x.group("disk") {
            try $0.attribute("dst", &disk)
            try $0.attribute("mirror", &mirror)
        }
        try x.group("chains") {
            try $0.element("disk", &chain)
            try $0.element("mirror", &mirrorChain)
        }
        try x.element("base", &base)
        try x.element("top", &top)
        try x.element("topparent", &topParent)
        try x.presence("deleteCommittedImages", &deletesImages)
        try x.group("create") { try $0.attribute("mode", &createMode) }
        try x.element("src", &source)
        try x.group("bitmap") { try $0.attribute("name", &bitmap) }
        try x.element("store", &store)
    }

    /// The job, checked against the disk that it names.
    func job(in domain: Domain) -> BlockJob {
        let kind = BlockJob.Kind(rawValue: type)
        var job = BlockJob(kind ?? .broken, name: name, disk: disk, flags: hexFlags)
        job.state = BlockJob.State(rawValue: state) ?? .failed
        job.newState = newState.flatMap { BlockJob.State(rawValue: $0) }
        job.brokenKind = brokenType.flatMap { BlockJob.Kind(rawValue: $0) }
        job.error = error
        job.isShallowNew = isShallowNew ?? false
        job.hasMirror = mirror ?? false
        (job.base, job.top, job.topParent) = (base?.index, top?.index, topParent?.index)
        job.deletesImages = deletesImages
        job.makesStorage = createMode == "storage"
        job.image = (source ?? store)?.image
        job.bitmap = bitmap
        job.chain = chain?.chain
        job.mirrorChain = mirrorChain?.chain
        job.isInvalid = kind == nil || BlockJob.State(rawValue: state) == nil || !isComplete(job, domain)
        return job
    }

    private var hexFlags: UInt32? {
        flags.flatMap { $0.hasPrefix("0x") ? UInt32($0.dropFirst(2), radix: 16) : nil }
    }

    private func isComplete(_ job: BlockJob, _ domain: Domain) -> Bool {
        let found = job.disk.flatMap { target in domain.devices.disks.first { $0.target.dev == target } }
        if job.disk != nil, found == nil { return false }
        let images = (found?.imageChain ?? job.chain)?.images ?? []
        func isKnown(_ node: Node?) -> Bool {
            node == nil || images.contains { $0.source.index != nil && $0.source.index == node?.index }
        }
        guard isKnown(base), isKnown(top), isKnown(topParent) else { return false }
        switch job.kind {
        case .pull, .copy, .broken: return true
        case .commit: return top != nil && base != nil && topParent != nil
        case .activeCommit: return top != nil && base != nil
        case .create, .backup: return job.image != nil
        }
    }
}
