import QEMUMonitor
import VirtCore
import VirtModel

/// The object that holds a part of the guest's memory.
struct MemoryBackend {
    private let builder: CommandBuilder
    private let id: String
    private let kibibytes: UInt64
    private let node: UInt32?
    private var isShared: Bool?
    private var discards: Bool?
    private var hugepageSize: UInt64?
    private var module: MemoryDevice?

    /// The memory of a node, or of a guest without nodes.
    init(_ builder: CommandBuilder, id: String, kibibytes: UInt64, cell: CPU.NUMA.Cell?) {
        self.builder = builder
        self.id = id
        self.kibibytes = kibibytes
        node = cell.map { $0.id ?? 0 }
        let backing = builder.domain.memoryBacking
        isShared = (cell?.access ?? backing.access).map { $0 == .shared }
        discards = cell?.discard ?? (backing.discard ? true : nil)
        hugepageSize = Self.hugepageSize(backing, node: node, builder.environment)
    }

    /// The memory of a module.
    init(_ builder: CommandBuilder, id: String, module: MemoryDevice) {
        self.builder = builder
        self.id = id
        self.module = module
        let size = module.target.size ?? 0
        // On pSeries the label is not part of what is rounded, and the definition's completion has done it.
        let isWhole = builder.machine.isPPC64 && module.model == .nvdimm
        kibibytes = isWhole ? size : Self.aligned(size, to: builder.machine.isPPC64 ? 256 << 10 : 2 << 10)
        node = module.target.node
        let backing = builder.domain.memoryBacking
        isShared = (module.access ?? backing.access).map { $0 == .shared }
        discards = module.discard ?? (backing.discard ? true : nil)
        hugepageSize = module.source.pageSize ?? Self.hugepageSize(backing, node: node, builder.environment)
        if let size = hugepageSize, size <= Self.systemPage { hugepageSize = nil }
    }

    /// KiB of an ordinary page.
    private static let systemPage: UInt64 = 4

    /// KiB rounded up to a multiple.
    static func aligned(_ kibibytes: UInt64, to step: UInt64) -> UInt64 {
        let (sum, overflow) = kibibytes.addingReportingOverflow(step - 1)
        return overflow ? kibibytes : sum / step * step
    }

    private static func hugepageSize(
        _ backing: MemoryBacking, node: UInt32?, _ environment: CommandEnvironment
    ) -> UInt64? {
        guard backing.hugepages else { return nil }
        let wanted = backing.pages.first { page in node.map { page.nodeset?.contains($0) == true } ?? false }
        let general = backing.pages.first { $0.nodeset == nil }
        if let page = wanted ?? general { return page.size <= systemPage ? nil : page.size }
        return backing.pages.isEmpty ? environment.defaultHugepageSize : nil
    }

    private var preallocates: Bool {
        builder.domain.memoryBacking.allocation == .immediate || (hugepageSize != nil && usesHugepages)
            || (module?.source.path != nil && module?.model != .virtioPMEM && module?.source.pmem != true)
    }

    private var usesHugepages: Bool { hugepageSize != nil && module?.source.path == nil }

    private enum Kind: String { case ram, file, memfd }

    private var kind: Kind {
        if module?.source.path != nil { return .file }
        if usesHugepages { return builder.domain.memoryBacking.source == .memfd ? .memfd : .file }
        switch builder.domain.memoryBacking.source {
        case .memfd: return .memfd
        case .file: return .file
        // Whether memory is shared only matters with a file behind it.
        case .anonymous, nil: return isShared == nil ? .ram : .file
        }
    }

    /// Whether a node needs an object even where QEMU takes plain sizes.
    var isSpecial: Bool { kind != .ram || isShared != nil || hasBinding || discards != nil }

    private var binding: (policy: String, nodes: [UInt32])? {
        let tuning = builder.domain.numaTuning
        if let module, let nodes = module.source.nodemask { return ("bind", nodes.members) }
        if let node, let own = tuning.nodes.first(where: { $0.cell == node }) {
            return own.mode == .restrictive ? nil : (Self.policy(own.mode), own.nodeset.members)
        }
        guard let nodes = nodeset, !nodes.isEmpty, tuning.mode != .restrictive else { return nil }
        return (Self.policy(tuning.mode ?? .strict), nodes.members)
    }

    /// The nodes for all of the guest's memory; those that numad chose where the guest leaves it to it.
    private var nodeset: BitSet? {
        let tuning = builder.domain.numaTuning
        return tuning.placement == .auto ? builder.environment.numaAdvice.map { BitSet($0) } : tuning.nodeset
    }

    private var hasBinding: Bool { binding != nil && !builder.domain.numaTuning.nodes.isEmpty }

    private static func policy(_ mode: NUMATuning.Mode) -> String {
        switch mode {
        case .strict, .restrictive: "bind"
        case .preferred: "preferred"
        case .interleave: "interleave"
        }
    }

    /// - Parameter canonicalName: whether the memory is the machine's own: its name in a migration stream then is
    ///   what it
    ///   was before QEMU knew backends.
    func properties(canonicalName: Bool) throws(VirtError) -> JSONObject {
        var properties: JSONObject = ["qom-type": .string("memory-backend-\(kind.rawValue)"), "id": .string(id)]
        switch kind {
        case .ram: break
        case .memfd:
            if let size = hugepageSize, usesHugepages {
                properties.add("hugetlb", true)
                properties.add("hugetlbsize", size * 1024)
            }
        case .file: properties.add("mem-path", try path())
        }
        if kind == .file, discards == true || (module == nil && discards == false) {
            properties.add("discard-data", discards)
        }
        if kind != .ram { properties.add("share", isShared) }
        if canonicalName, kind != .ram, builder.has(.memoryBackendFileXUseCanonicalPathForRamblockId) {
            properties.add("x-use-canonical-path-for-ramblock-id", false)
        }
        if preallocates {
            properties.add("prealloc", true)
            properties.add("prealloc-threads", builder.domain.memoryBacking.allocationThreads)
        }
        if module?.model == .virtioMem { properties.add("reserve", false) }
        properties.add("size", kibibytes.multipliedReportingOverflow(by: 1024).partialValue)
        addModuleProperties(&properties)
        if let binding {
            properties.add("host-nodes", .array(binding.nodes.map { .integer($0) }))
            properties.add("policy", binding.policy)
        }
        return properties
    }

    private func addModuleProperties(_ properties: inout JSONObject) {
        guard let module else { return }
        properties.add("align", module.source.alignSize.map { $0 * 1024 })
        if module.source.pmem { properties.add("pmem", true) }
    }

    private func path() throws(VirtError) -> String {
        if let path = module?.source.path { return path }
        if let size = hugepageSize, usesHugepages {
            guard let directory = builder.environment.hugepageDirectories[size] else {
                throw VirtError(.internalError, .qemu, "Unable to find any usable hugetlbfs mount for \(size) KiB")
            }
            return directory
        }
        // A module's file bears the name of the device.
        let name = module.map { $0.info.alias ?? id } ?? id
        return builder.environment.memoryDirectory + "/" + name
    }
}
