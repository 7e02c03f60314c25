import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtWire

/// virConnectGetAllDomainStats: the numbers of many domains, in groups. A guest that does not answer in time is shown
/// without the numbers that only it has; it never delays the others.
enum BulkStatistics {
    /// The groups, virDomainStatsTypes.
    struct Groups: OptionSet, Sendable {
        let rawValue: UInt32
        static let state = Groups(rawValue: 1)
        static let cpu = Groups(rawValue: 2)
        static let balloon = Groups(rawValue: 4)
        static let vcpu = Groups(rawValue: 8)
        static let interface = Groups(rawValue: 16)
        static let block = Groups(rawValue: 32)
        static let perf = Groups(rawValue: 64)
        static let iothread = Groups(rawValue: 128)
        static let memory = Groups(rawValue: 256)
        static let dirtyRate = Groups(rawValue: 512)
        static let vm = Groups(rawValue: 1024)
        static let all = Groups(rawValue: 0x7FF)
    }

    /// Flags besides those of lists.
    static let noWait: UInt32 = 1 << 29
    static let backing: UInt32 = 1 << 30
    static let enforce: UInt32 = 1 << 31

    /// Answers of one guest's QEMU; null where there is none.
    struct Answers: Sendable {
        var balloon = JSONValue.null
        var memory = JSONValue.null
        var blocks = JSONValue.null
        var nodes = JSONValue.null
        var threads = JSONValue.null
        var dirtyRate = JSONValue.null
    }

    /// The reply: records of domains that don't run are kept encoded, those of guests are made each time.
    static func gather(
        _ driver: QEMUDriver, _ arguments: RemoteConnectGetAllDomainStatsArgs
    ) async throws -> RecordList {
        let listFlags = arguments.flags & 0xFF
        try arguments.flags.checkFlags(0xFF | noWait | backing | enforce, "qemuConnectGetAllDomainStats")
        let unknown = arguments.stats & ~Groups.all.rawValue
        if unknown != 0, arguments.flags & enforce != 0 {
            throw VirtError(
                .argumentUnsupported, .qemu,
                "Stats types bits 0x\(String(unknown, radix: 16)) are not supported by this daemon or QEMU")
        }
        let groups = arguments.stats == 0 ? Groups.all : Groups(rawValue: arguments.stats & Groups.all.rawValue)
        let domains: [DomainSnapshot]
        if arguments.doms.isEmpty {
            let filter = DomainFilter(listFlags)
            domains = driver.registry.all.filter(filter.matches)
        } else {
            domains = arguments.doms.compactMap { try? driver.registry.snapshot($0) }
        }
        return try await records(domains, groups, arguments.flags)
    }

    private static func records(
        _ domains: [DomainSnapshot], _ groups: Groups, _ flags: UInt32
    ) async throws -> RecordList {
        let sizes = groups.contains(.block) ? await inactiveSizes(domains) : []
        let answers = await ask(domains.filter(\.isActive), groups)
        var list = RecordList()
        for (index, domain) in domains.enumerated() {
            if domain.isActive {
                let numbers = live(domain, groups, flags, answers[domain.uuid] ?? Answers())
                list.append(encoded: try RecordList.encode(domain, numbers))
            } else {
                let images = sizes.indices.contains(index) ? sizes[index] : []
                let record = try domain.inactiveStatistics(groups.rawValue, images) { () throws(VirtError) in
                    try RecordList.encode(domain, inactive(domain, groups, images))
                }
                list.append(encoded: record)
            }
        }
        return list
    }

    // MARK: Domains without a guest

    /// Sizes of the images of domains that don't run, looked up together away from the loop: an entry for each domain,
    /// an empty one where there is no image.
    private static func inactiveSizes(_ domains: [DomainSnapshot]) async -> [[FileSizes?]] {
        guard domains.contains(where: { !$0.isActive }) else { return [] }
        let sizes = try? await BlockingPool.shared.mapPieces(domains, size: 128) { domains in
            var look = FileLook()
            return domains.map { domain in imageSizes(domain, &look) }
        }
        return sizes ?? []
    }

    private static func imageSizes(_ domain: DomainSnapshot, _ look: inout FileLook) -> [FileSizes?] {
        guard !domain.isActive, let summary = try? domain.summary() else { return [] }
        var isAny = false
        let sizes = summary.disks.map { disk -> FileSizes? in
            guard let image = disk.image, let status = look.status(image.path) else { return nil }
            isAny = true
            return FileSizes.make(image.path, format: image.format, status)
        }
        return isAny ? sizes : []
    }

    private static func inactive(
        _ domain: DomainSnapshot, _ groups: Groups, _ sizes: [FileSizes?]
    ) -> [TypedParameter] {
        var list: [TypedParameter] = []
        if groups.contains(.state) {
            list.append(TypedParameter("state.state", .int(domain.state.kind.rawValue)))
            list.append(TypedParameter("state.reason", .int(domain.state.reason)))
        }
        guard let definition = try? domain.summary() else { return list }
        if groups.contains(.balloon) {
            list.append(TypedParameter("balloon.current", .ullong(definition.currentMemory)))
            list.append(TypedParameter("balloon.maximum", .ullong(definition.maximumMemory)))
        }
        if groups.contains(.vcpu) {
            list.append(TypedParameter("vcpu.current", .uint(definition.onlineVCPUs)))
            list.append(TypedParameter("vcpu.maximum", .uint(definition.maximumVCPUs)))
        }
        if groups.contains(.block) { addBlocks(&list, definition.disks, sizes) }
        return list
    }

    private static func addBlocks(
        _ list: inout [TypedParameter], _ disks: [DefinitionSummary.Disk], _ sizes: [FileSizes?]
    ) {
        list.append(TypedParameter("block.count", .uint(UInt32(clamping: disks.count))))
        for (index, disk) in disks.enumerated() {
            let prefix = "block.\(index)."
            list.append(TypedParameter(prefix + "name", .string(disk.target)))
            if let path = disk.path { list.append(TypedParameter(prefix + "path", .string(path))) }
            guard sizes.indices.contains(index), let size = sizes[index] else { continue }
            list.append(TypedParameter(prefix + "allocation", .ullong(size.allocation)))
            list.append(TypedParameter(prefix + "capacity", .ullong(size.capacity)))
            list.append(TypedParameter(prefix + "physical", .ullong(size.physical)))
        }
    }

    // MARK: Guests

    private static func ask(_ domains: [DomainSnapshot], _ groups: Groups) async -> [UUID: Answers] {
        await withTaskGroup(of: (UUID, Answers)?.self) { group in
            for domain in domains {
                guard let monitor = domain.runtime?.monitor else { continue }
                let balloon = domain.live?.balloonPath
                let uuid = domain.uuid
                group.addTask { await ask(monitor, balloon, groups).map { (uuid, $0) } }
            }
            var result: [UUID: Answers] = [:]
            for await answer in group {
                if let answer { result[answer.0] = answer.1 }
            }
            return result
        }
    }

    private static func ask(_ monitor: QEMUMonitor, _ balloon: String?, _ groups: Groups) async -> Answers? {
        let questions = Self.questions(balloon, groups)
        guard !questions.isEmpty else { return Answers() }
        let outcomes = try? await monitor.executeAll(questions.map(\.command), timeout: MonitorTimeout.statistics)
        guard let outcomes, outcomes.count == questions.count else { return nil }
        var answers = Answers()
        for (outcome, question) in zip(outcomes, questions) {
            if case .success(let value) = outcome { question.store(&answers, value) }
        }
        return answers
    }

    /// What is asked, and where the answer goes.
    private struct Question {
        let command: QMPCommand
        let store: (inout Answers, JSONValue) -> Void
    }

    private static func questions(_ balloon: String?, _ groups: Groups) -> [Question] {
        var list: [Question] = []
        func add(_ name: String, _ arguments: JSONValue? = nil, _ store: @escaping (inout Answers, JSONValue) -> Void) {
            list.append(Question(command: QMPCommand(name, arguments), store: store))
        }
        if groups.contains(.balloon), let balloon {
            add("query-balloon") { $0.balloon = $1 }
            add("qom-get", ["path": .string(balloon), "property": "guest-stats"]) { $0.memory = $1 }
        }
        if groups.contains(.block) {
            add("query-blockstats") { $0.blocks = $1 }
            add("query-named-block-nodes", ["flat": true]) { $0.nodes = $1 }
        }
        if groups.contains(.iothread) { add("query-iothreads") { $0.threads = $1 } }
        if groups.contains(.dirtyRate) { add("query-dirty-rate") { $0.dirtyRate = $1 } }
        return list
    }
}
