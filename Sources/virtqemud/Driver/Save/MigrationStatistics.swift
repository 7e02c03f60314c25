import VirtCore

/// What QEMU counts while it writes a guest's memory (QMP's MigrationInfo). Times in milliseconds, memory in bytes.
struct MigrationStatistics: Sendable, Equatable {
    private(set) var downtime: UInt64?
    private(set) var setup: UInt64?
    let total: UInt64
    let transferred: UInt64
    let remaining: UInt64
    private let constantPages: UInt64
    private let normalPages: UInt64
    private let normalBytes: UInt64
    private let dirtyRate: UInt64
    private let iteration: UInt64
    private let postcopyRequests: UInt64
    private let pageSize: UInt64

    /// Nil for an answer without memory in it.
    init?(_ answer: JSONValue) {
        guard let memory = answer["ram"] else { return nil }
        func number(_ name: String) -> UInt64 { memory[name]?.integer() ?? 0 }
        downtime = answer["downtime"]?.integer()
        setup = answer["setup-time"]?.integer()
        total = number("total")
        transferred = number("transferred")
        remaining = number("remaining")
        constantPages = number("duplicate")
        normalPages = number("normal")
        normalBytes = number("normal-bytes")
        dirtyRate = number("dirty-pages-rate")
        iteration = number("dirty-sync-count")
        postcopyRequests = number("postcopy-requests")
        pageSize = number("page-size")
    }

    /// As virDomainGetJobStats and the event of the job's end have them.
    var parameters: [TypedParameter] {
        var list: [TypedParameter] = []
        if let downtime { list.append(TypedParameter("downtime", .ullong(downtime))) }
        if let setup { list.append(TypedParameter("setup_time", .ullong(setup))) }
        for kind in ["data", "memory"] {
            list.append(TypedParameter("\(kind)_total", .ullong(total)))
            list.append(TypedParameter("\(kind)_processed", .ullong(transferred)))
            list.append(TypedParameter("\(kind)_remaining", .ullong(remaining)))
        }
        let rest: [(String, UInt64)] = [
            ("memory_constant", constantPages), ("memory_normal", normalPages), ("memory_normal_bytes", normalBytes),
            ("memory_dirty_rate", dirtyRate), ("memory_iteration", iteration),
            ("memory_postcopy_requests", postcopyRequests), ("memory_page_size", pageSize),
        ]
        return list + rest.map { TypedParameter($0.0, .ullong($0.1)) }
    }
}
