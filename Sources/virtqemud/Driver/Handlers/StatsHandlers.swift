import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// Statistics of guests: from QEMU with a deadline, or from the kernel.
enum StatsHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.onEncoded(RemoteProgram.ConnectGetAllDomainStats.self) { arguments, _ in
            let list = try await BulkStatistics.gather(driver, arguments)
            return { list.encode(into: &$0) }
        }
        installBlocks(into: &table, registry)
        installMemory(into: &table, registry)
        installProcessors(into: &table, registry)
        table.on(RemoteProgram.DomainInterfaceStats.self) { arguments, _ in
            try interfaceStatistics(registry.snapshot(arguments.dom), arguments.device)
        }
    }

    // MARK: Disks

    private static func installBlocks(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onAsync(RemoteProgram.DomainBlockStats.self) { arguments, _ in
            let counts = try await blockStatistics(registry.snapshot(arguments.dom), arguments.path)
            return .init(
                rdReq: counts.readRequests, rdBytes: counts.readBytes, wrReq: counts.writeRequests,
                wrBytes: counts.writeBytes, errs: -1)
        }
        table.onAsync(RemoteProgram.DomainBlockStatsFlags.self) { arguments, _ in
            try arguments.flags.checkFlags(4, "qemuDomainBlockStatsFlags")
            let counts = try await blockStatistics(registry.snapshot(arguments.dom), arguments.path)
            let list = parameters(counts)
            guard arguments.nparams > 0 else { return .init(params: [], nparams: Int32(list.count)) }
            return .init(params: Array(list.prefix(Int(arguments.nparams))), nparams: 0)
        }
        table.onAsync(RemoteProgram.DomainGetBlockInfo.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainGetBlockInfo")
            return try await blockInfo(registry.snapshot(arguments.dom), arguments.path)
        }
        table.onAsync(RemoteProgram.DomainGetDiskErrors.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainGetDiskErrors")
            let errors = try await diskErrors(registry.snapshot(arguments.dom))
            let shown = errors.prefix(Int(clamping: arguments.maxerrors))
            let count = arguments.maxerrors == 0 ? errors.count : shown.count
            return .init(errors: Array(shown), nerrors: Int32(clamping: count))
        }
    }

    private static func parameters(_ counts: BlockStatistics) -> [TypedParameter] {
        [
            TypedParameter("wr_bytes", .llong(counts.writeBytes)),
            TypedParameter("wr_operations", .llong(counts.writeRequests)),
            TypedParameter("rd_bytes", .llong(counts.readBytes)),
            TypedParameter("rd_operations", .llong(counts.readRequests)),
            TypedParameter("flush_operations", .llong(counts.flushRequests)),
            TypedParameter("wr_total_times", .llong(counts.writeTime)),
            TypedParameter("rd_total_times", .llong(counts.readTime)),
            TypedParameter("flush_total_times", .llong(counts.flushTime)),
        ]
    }

    /// One drive's numbers; an empty path sums them all up.
    static func blockStatistics(_ snapshot: DomainSnapshot, _ path: String) async throws -> BlockStatistics {
        let (domain, runtime) = try snapshot.running()
        let alias = path.isEmpty ? nil : try diskAlias(domain, path)
        let answer = try await ask(runtime, QMPCommand("query-blockstats"))
        let all = BlockStatistics.byAlias(answer)
        guard let alias else { return all.values.reduce(into: BlockStatistics()) { $0.add($1) } }
        guard let found = all[alias] else {
            throw VirtError(.internalError, .qemu, "cannot find statistics for device '\(alias)'")
        }
        return found
    }

    private static func diskAlias(_ domain: Domain, _ path: String) throws(VirtError) -> String {
        guard let index = domain.diskIndex(path) else {
            throw VirtError(.invalidArg, .qemu, "invalid path: \(path)")
        }
        guard let alias = domain.devices.disks[index].info.alias else {
            throw VirtError(.internalError, .qemu, "missing disk device alias name for \(path)")
        }
        return alias
    }

    static func ask(_ runtime: GuestRuntime, _ command: QMPCommand) async throws -> JSONValue {
        guard let monitor = runtime.monitor else {
            throw VirtError(.operationInvalid, .domain, "domain is not running")
        }
        return try await monitor.execute(command.name, command.arguments, timeout: MonitorTimeout.statistics)
    }

    /// virDomainGetBlockInfo.
    static func blockInfo(_ snapshot: DomainSnapshot, _ path: String) async throws -> RemoteDomainGetBlockInfoRet {
        let domain = try snapshot.current()
        guard let index = domain.diskIndex(path) else {
            throw VirtError(.invalidArg, .qemu, "invalid path \(path) not assigned to domain")
        }
        let disk = domain.devices.disks[index]
        guard !disk.source.isEmpty else {
            throw VirtError(.invalidArg, .qemu, "disk '\(path)' does not currently have a source assigned")
        }
        guard disk.source.fdGroup == nil else {
            throw VirtError(.operationUnsupported, .qemu, "block info is not supported for FD passed disk image")
        }
        let sizes = await fileSizes(disk)
        guard let runtime = snapshot.runtime, let number = disk.source.index else {
            guard let sizes else {
                throw VirtError.system(2, .storage, "Cannot access storage file '\(disk.source.path ?? "")'")
            }
            return .init(allocation: sizes.allocation, capacity: sizes.capacity, physical: sizes.physical)
        }
        let nodes = ImageSize.byNode(try await ask(runtime, QMPCommand("query-named-block-nodes", ["flat": true])))
        let counts = BlockStatistics.byAlias(try await ask(runtime, QMPCommand("query-blockstats")))
        let node = nodes["libvirt-\(number)-format"] ?? ImageSize()
        let highest = disk.info.alias.flatMap { counts[$0]?.highestOffset } ?? 0
        let physical = sizes?.physical ?? node.physical
        let isBlock = disk.source.type == .block
        return .init(
            allocation: isBlock ? highest : node.physical, capacity: node.capacity, physical: physical)
    }

    private static func fileSizes(_ disk: Disk) async -> FileSizes? {
        guard let path = disk.source.localPath else { return nil }
        let format = disk.driver?.type
        return (try? await BlockingPool.shared.run { FileSizes.read(path, format: format) }) ?? nil
    }

    private static func diskErrors(_ snapshot: DomainSnapshot) async throws -> [RemoteDomainDiskError] {
        let (domain, runtime) = try snapshot.running()
        let answer = try await ask(runtime, QMPCommand("query-block"))
        var statuses: [String: Int32] = [:]
        for entry in answer.array ?? [] {
            // virDomainDiskErrorCode: unspecified 1, no space 2.
            let codes: [String: Int32] = ["failed": 1, "nospace": 2]
            guard let status = entry["io-status"]?.string.flatMap({ codes[$0] }) else { continue }
            statuses[BlockStatistics.alias(entry["qdev"]?.string ?? "")] = status
        }
        return domain.devices.disks.compactMap { disk in
            guard let code = disk.info.alias.flatMap({ statuses[$0] }) else { return nil }
            return RemoteDomainDiskError(disk: disk.target.dev ?? "", error: code)
        }
    }

    // MARK: Memory

    private static func installMemory(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.onAsync(RemoteProgram.DomainMemoryStats.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "qemuDomainMemoryStats")
            let list = try await memoryStatistics(registry.snapshot(arguments.dom))
            return .init(stats: Array(list.prefix(Int(clamping: arguments.maxStats))))
        }
    }

    /// virDomainMemoryStats: the balloon's size, what the guest tells, and what the process takes.
    static func memoryStatistics(_ snapshot: DomainSnapshot) async throws -> [RemoteDomainMemoryStat] {
        let (domain, runtime) = try snapshot.running()
        var list: [RemoteDomainMemoryStat] = []
        if let path = domain.balloonPath {
            let size = try await ask(runtime, QMPCommand("query-balloon"))
            if let actual: UInt64 = size["actual"]?.integer() { list.append(.init(tag: 6, val: actual / 1024)) }
            let arguments: JSONValue = ["path": .string(path), "property": "guest-stats"]
            let answer = try? await ask(runtime, QMPCommand("qom-get", arguments))
            list += MemoryStatistics(answer ?? .null).tagged.map { .init(tag: $0.tag, val: $0.value) }
        }
        if let process = ProcessStatistics.read(pid: runtime.pid) { list.append(.init(tag: 7, val: process.resident)) }
        return list
    }

    // MARK: Processors and interfaces

    private static func installProcessors(into table: inout HandlerTable, _ registry: DomainRegistry) {
        table.on(RemoteProgram.DomainGetCpuStats.self) { arguments, _ in
            try arguments.flags.checkFlags(4, "qemuDomainGetCPUStats")
            let (_, runtime) = try registry.snapshot(arguments.dom).running()
            return try ProcessorStatistics.answer(runtime, arguments)
        }
    }

    static func interfaceStatistics(
        _ snapshot: DomainSnapshot, _ device: String
    ) throws -> RemoteDomainInterfaceStatsRet {
        let (domain, _) = try snapshot.running()
        guard let index = domain.interfaceIndex(device), let name = domain.devices.interfaces[index].targetDevice else {
            throw VirtError(.invalidArg, .domain, "'\(device)' is not a known interface")
        }
        guard let counts = InterfaceStatistics.read(name)?.swapped else {
            throw VirtError(.internalError, .none, "/proc/net/dev: Interface not found")
        }
        return .init(
            rxBytes: counts.receivedBytes, rxPackets: counts.receivedPackets, rxErrs: counts.receiveErrors,
            rxDrop: counts.receiveDrops, txBytes: counts.sentBytes, txPackets: counts.sentPackets,
            txErrs: counts.sendErrors, txDrop: counts.sendDrops)
    }
}

extension BlockStatistics {
    /// Sums up two drives.
    mutating func add(_ other: BlockStatistics) {
        readRequests &+= other.readRequests
        readBytes &+= other.readBytes
        readTime &+= other.readTime
        writeRequests &+= other.writeRequests
        writeBytes &+= other.writeBytes
        writeTime &+= other.writeTime
        flushRequests &+= other.flushRequests
        flushTime &+= other.flushTime
    }
}
