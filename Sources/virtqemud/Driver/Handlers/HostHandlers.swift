import CLinux
import Glibc
import QEMUCommand
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

/// Procedures about the host itself: processors, memory, pages.
enum HostHandlers {
    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        installProcessors(into: &table, driver)
        installMemory(into: &table)
        installPages(into: &table)
    }

    private static func topology() async throws -> HostTopology {
        try await BlockingPool.shared.run { HostTopology.read() }
    }

    // MARK: Processors

    private static func installProcessors(into table: inout HandlerTable, _ driver: QEMUDriver) {
        table.onAsync(RemoteProgram.NodeGetInfo.self) { _, _ in
            let (topology, file) = try await BlockingPool.shared.run { (HostTopology.read(), ProcessorFile.read()) }
            let shape = topology.shape
            var model = Emulators.hostArch.utf8.map { Int8(bitPattern: $0) }
            model += [Int8](repeating: 0, count: max(0, 32 - model.count))
            return .init(
                model: model, memory: topology.memory, cpus: Int32(clamping: topology.online.count),
                mhz: Int32(clamping: file.megahertz), nodes: Int32(clamping: max(topology.cells.count, 1)),
                sockets: Int32(clamping: shape.sockets), cores: Int32(clamping: shape.cores * shape.dies),
                threads: Int32(clamping: shape.threads))
        }
        table.onAsync(RemoteProgram.NodeGetCpuMap.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "virHostCPUGetMap", domain: .none)
            let (present, online) = try await BlockingPool.shared.run {
                (SysFile.list("/sys/devices/system/cpu/present"), SysFile.list("/sys/devices/system/cpu/online"))
            }
            let count = (present.max() ?? 0) + 1
            var map = [UInt8](repeating: 0, count: (count + 7) / 8)
            for cpu in online where cpu < count { map[cpu / 8] |= 1 << UInt8(cpu % 8) }
            return .init(
                cpumap: arguments.needMap != 0 ? map : [],
                online: arguments.needOnline != 0 ? UInt32(clamping: online.count) : 0, ret: Int32(clamping: count))
        }
        table.onAsync(RemoteProgram.NodeGetCpuStats.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "virHostCPUGetStats", domain: .none)
            let stats = try await BlockingPool.shared.run { try HostStatistics.processor(arguments.cpuNum) }
            guard arguments.nparams > 0 else { return .init(params: [], nparams: Int32(stats.count)) }
            let shown = stats.prefix(Int(arguments.nparams))
            return .init(params: shown.map { .init(field: $0.0, value: $0.1) }, nparams: Int32(shown.count))
        }
        table.onAsync(RemoteProgram.ConnectGetMaxVcpus.self) { arguments, _ in
            .init(maxVcpus: try await maximumVCPUs(arguments.type))
        }
    }

    private static func maximumVCPUs(_ type: String?) async throws -> Int32 {
        switch type?.lowercased() {
        // libvirt's answer since QEMU had no more; domain capabilities tell the limit of a machine type.
        case nil, "qemu": return 16
        case "kvm":
            return try await BlockingPool.shared.run { try KVMDevice.maximumVCPUs() }
        case .some: throw VirtError(.invalidArg, .qemu, "unknown type '\(type ?? "")'")
        }
    }

    // MARK: Memory

    private static func installMemory(into table: inout HandlerTable) {
        table.onAsync(RemoteProgram.NodeGetMemoryStats.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "virHostMemGetStats", domain: .none)
            let stats = try await BlockingPool.shared.run { try HostStatistics.memory(arguments.cellNum) }
            guard arguments.nparams > 0 else { return .init(params: [], nparams: Int32(stats.count)) }
            let shown = stats.prefix(Int(arguments.nparams))
            return .init(params: shown.map { .init(field: $0.0, value: $0.1) }, nparams: Int32(shown.count))
        }
        table.onAsync(RemoteProgram.NodeGetFreeMemory.self) { _, _ in
            .init(freeMem: try await topology().freeMemory.multipliedReportingOverflow(by: 1024).partialValue)
        }
        table.onAsync(RemoteProgram.NodeGetCellsFreeMemory.self) { arguments, _ in
            let cells = try await topology().cells
            let last = cells.map(\.id).max() ?? 0
            guard arguments.startCell >= 0, Int(arguments.startCell) <= last else {
                throw VirtError(
                    .internalError, .none, "start cell \(arguments.startCell) out of range (0-\(last))")
            }
            let shown = cells.filter { $0.id >= Int(arguments.startCell) }.prefix(Int(max(arguments.maxcells, 0)))
            return .init(cells: shown.map { $0.free.multipliedReportingOverflow(by: 1024).partialValue })
        }
        table.onAsync(RemoteProgram.NodeGetMemoryParameters.self) { arguments, _ in
            // VIR_TYPED_PARAM_STRING_OKAY
            try arguments.flags.checkFlags(4, "virHostMemGetParameters", domain: .none)
            let all = try await BlockingPool.shared.run { HostStatistics.sharedMemory() }
            guard arguments.nparams > 0 else { return .init(params: [], nparams: Int32(all.count)) }
            let shown = Array(all.prefix(Int(arguments.nparams)))
            return .init(params: shown, nparams: Int32(shown.count))
        }
        table.onAsync(RemoteProgram.NodeSetMemoryParameters.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "virHostMemSetParameters")
            try await BlockingPool.shared.run { try HostStatistics.setSharedMemory(arguments.params) }
            return .init()
        }
    }

    // MARK: Pages

    private static func installPages(into table: inout HandlerTable) {
        table.onAsync(RemoteProgram.NodeAllocPages.self) { arguments, _ in
            try arguments.flags.checkFlags(1, "virHostMemAllocPages")
            return .init(ret: try await BlockingPool.shared.run { try allocate(arguments) })
        }
        table.onAsync(RemoteProgram.NodeGetFreePages.self) { arguments, _ in
            try arguments.flags.checkFlags(0, "virHostMemGetFreePages")
            let cells = try await topology().cells
            let last = cells.map(\.id).max() ?? 0
            guard arguments.startCell >= -1, Int(arguments.startCell) <= last else {
                throw VirtError(
                    .internalError, .none, "start cell \(arguments.startCell) out of range (0-\(last))")
            }
            var counts: [UInt64] = []
            let end = Int(arguments.startCell) + Int(min(arguments.cellCount, 1024))
            for id in Int(arguments.startCell)..<max(end, Int(arguments.startCell)) {
                let shown = id < 0 ? cells : cells.filter { $0.id == id }
                guard !shown.isEmpty else { break }
                for size in arguments.pages {
                    counts.append(try freePages(shown, size: UInt64(size)))
                }
            }
            return .init(counts: counts)
        }
    }

    private static func allocate(_ arguments: RemoteNodeAllocPagesArgs) throws(VirtError) -> Int32 {
        guard arguments.pageSizes.count == arguments.pageCounts.count else {
            throw VirtError(.invalidArg, .none, "page sizes and counts differ in number")
        }
        let cells = HostTopology.read().cells
        let last = cells.map(\.id).max() ?? 0
        guard arguments.startCell >= -1, Int(arguments.startCell) <= last else {
            throw VirtError(.internalError, .none, "start cell \(arguments.startCell) out of range (0-\(last))")
        }
        let start = Int(arguments.startCell)
        let count = max(Int(min(arguments.cellCount, 1024)), 1)
        let chosen = start < 0 ? [] : cells.filter { $0.id >= start && $0.id < start + count }
        let directories =
            start < 0
            ? ["/sys/kernel/mm/hugepages"] : chosen.map { "/sys/devices/system/node/node\($0.id)/hugepages" }
        var changed: Int32 = 0
        for directory in directories {
            for (size, count) in zip(arguments.pageSizes, arguments.pageCounts) {
                let path = "\(directory)/hugepages-\(size)kB/nr_hugepages"
                guard let old: UInt64 = SysFile.number(path) else {
                    let place = start < 0 ? "" : " on node \(start)"
                    throw VirtError(.operationFailed, .none, "page size \(size) is not available\(place)")
                }
                // VIR_NODE_ALLOC_PAGES_SET gives the number, without it pages are added.
                let (sum, overflow) = old.addingReportingOverflow(count)
                let wanted = arguments.flags & 1 != 0 ? count : overflow ? UInt64.max : sum
                let file = try OwnedDescriptor(opening: path, O_WRONLY)
                try FileSystem.write(file.rawValue, Array(String(wanted).utf8), name: path)
                changed += 1
            }
        }
        return changed
    }

    private static func freePages(_ cells: [HostTopology.Cell], size: UInt64) throws(VirtError) -> UInt64 {
        var sum: UInt64 = 0
        for cell in cells {
            guard let page = cell.pages.first(where: { $0.size == size }) else {
                throw VirtError(.operationFailed, .none, "page size \(size) is not available on node \(cell.id)")
            }
            sum &+= page.free
        }
        return sum
    }
}
