import Glibc
import VirtOS

/// The host's processors, NUMA nodes, memory and caches as the kernel lists them.
struct HostTopology: Sendable, Equatable {
    struct Processor: Sendable, Equatable {
        var id: Int
        var socket: Int
        var die: Int
        var core: Int
        var siblings: [Int]
    }

    struct Page: Sendable, Equatable {
        /// KiB.
        var size: UInt64
        var total: UInt64
        var free: UInt64
    }

    struct Cell: Sendable, Equatable {
        var id: Int
        /// KiB.
        var memory: UInt64
        var free: UInt64
        var pages: [Page]
        var distances: [UInt32]
        var processors: [Processor]
    }

    struct CacheBank: Sendable, Equatable {
        var id: Int
        var level: Int
        var type: String
        /// KiB.
        var size: UInt64
        var processors: [Int]
    }

    var present: [Int] = []
    var online: [Int] = []
    var cells: [Cell] = []
    var caches: [CacheBank] = []

    private static let cpuDirectory = "/sys/devices/system/cpu"
    private static let nodeDirectory = "/sys/devices/system/node"

    /// Looks at the host. Blocks: for a `BlockingPool`.
    static func read() -> HostTopology {
        var topology = HostTopology()
        topology.present = SysFile.list("\(cpuDirectory)/present")
        topology.online = SysFile.list("\(cpuDirectory)/online")
        let nodes = SysFile.list("\(nodeDirectory)/online")
        topology.cells = nodes.isEmpty ? [singleCell(topology.online)] : nodes.map { cell($0, nodes, topology.online) }
        topology.caches = readCaches(topology.online)
        return topology
    }

    // MARK: Sums

    var memory: UInt64 { cells.reduce(0) { $0 &+ $1.memory } }
    var freeMemory: UInt64 { cells.reduce(0) { $0 &+ $1.free } }
    var processors: [Processor] { cells.flatMap(\.processors) }

    /// Sockets per cell, cores per socket, threads per core; all processors in one socket when they don't multiply.
    var shape: (sockets: Int, dies: Int, cores: Int, threads: Int) {
        let perCell = cells.map { cell in Set(cell.processors.map(\.socket)).count }
        let sockets = max(perCell.max() ?? 1, 1)
        let dies = max(
            Dictionary(grouping: processors, by: \.socket).values.map { Set($0.map(\.die)).count }.max() ?? 1, 1)
        let cores =
            Dictionary(grouping: processors) { [$0.socket, $0.die] }.values
            .map { group in Set(group.map { $0.core }).count }.max() ?? 1
        let threads = processors.map(\.siblings.count).max() ?? 1
        let product = sockets * dies * max(cores, 1) * max(threads, 1) * max(cells.count, 1)
        guard product == present.count else { return (1, 1, present.count, 1) }
        return (sockets, dies, max(cores, 1), max(threads, 1))
    }

    // MARK: Reading

    private static func processor(_ id: Int) -> Processor {
        let directory = "\(cpuDirectory)/cpu\(id)/topology"
        let siblings = SysFile.list("\(directory)/thread_siblings_list")
        return Processor(
            id: id, socket: max(SysFile.number("\(directory)/physical_package_id") ?? 0, 0),
            die: max(SysFile.number("\(directory)/die_id") ?? 0, 0), core: SysFile.number("\(directory)/core_id") ?? 0,
            siblings: siblings.isEmpty ? [id] : siblings)
    }

    private static func cell(_ node: Int, _ nodes: [Int], _ online: [Int]) -> Cell {
        let directory = "\(nodeDirectory)/node\(node)"
        let info = SysFile.text("\(directory)/meminfo") ?? ""
        let memory = SysFile.kibibytes("MemTotal", in: info) ?? 0
        let free = SysFile.kibibytes("MemFree", in: info) ?? 0
        let distances = (SysFile.text("\(directory)/distance") ?? "").split(separator: " ").compactMap { UInt32($0) }
        let members = SysFile.list("\(directory)/cpulist").filter(online.contains)
        return Cell(
            id: node, memory: memory, free: free, pages: pages("\(directory)/hugepages", memory, free),
            distances: distances, processors: members.map(processor))
    }

    private static func singleCell(_ online: [Int]) -> Cell {
        let info = SysFile.text("/proc/meminfo") ?? ""
        let memory = SysFile.kibibytes("MemTotal", in: info) ?? 0
        let free = SysFile.kibibytes("MemFree", in: info) ?? 0
        return Cell(
            id: 0, memory: memory, free: free, pages: pages("/sys/kernel/mm/hugepages", memory, free), distances: [],
            processors: online.map(processor))
    }

    /// The page sizes: those of the kernel first; huge pages take memory away from them.
    private static func pages(_ directory: String, _ memory: UInt64, _ free: UInt64) -> [Page] {
        var huge: [Page] = []
        for name in SysFile.names(directory) where name.hasPrefix("hugepages-") && name.hasSuffix("kB") {
            guard let size = UInt64(name.dropFirst(10).dropLast(2)), size > 0 else { continue }
            let path = "\(directory)/\(name)"
            huge.append(
                Page(
                    size: size, total: SysFile.number("\(path)/nr_hugepages") ?? 0,
                    free: SysFile.number("\(path)/free_hugepages") ?? 0))
        }
        let system = UInt64(max(sysconf(Int32(_SC_PAGESIZE)), 4096)) / 1024
        let taken = huge.reduce(UInt64(0)) { $0 &+ $1.total &* $1.size }
        let small = Page(size: system, total: (memory >= taken ? memory - taken : 0) / system, free: free / system)
        return [small] + huge.sorted { $0.size < $1.size }
    }

    /// The caches that several processors may share: from the third level on.
    private static func readCaches(_ online: [Int]) -> [CacheBank] {
        var banks: [CacheBank] = []
        for cpu in online {
            let directory = "\(cpuDirectory)/cpu\(cpu)/cache"
            for name in SysFile.names(directory) where name.hasPrefix("index") {
                let path = "\(directory)/\(name)"
                guard let level: Int = SysFile.number("\(path)/level"), level >= 3 else { continue }
                let id = SysFile.number("\(path)/id") ?? 0
                let type = SysFile.text("\(path)/type")?.lowercased() ?? "unified"
                guard !banks.contains(where: { $0.id == id && $0.level == level && $0.type == type }) else { continue }
                let size = SysFile.text("\(path)/size").flatMap { UInt64($0.prefix { $0.isNumber }) } ?? 0
                banks.append(
                    CacheBank(
                        id: id, level: level, type: type, size: size,
                        processors: SysFile.list("\(path)/shared_cpu_list")))
            }
        }
        return banks.sorted { ($0.level, $0.id) < ($1.level, $1.id) }
    }
}
