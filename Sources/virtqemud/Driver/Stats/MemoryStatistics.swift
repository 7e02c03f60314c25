import VirtCore

/// What the guest's balloon driver tells of its memory. KiB, unless said otherwise; nil where the guest does not tell.
struct MemoryStatistics: Sendable, Equatable {
    var swapIn: UInt64?
    var swapOut: UInt64?
    /// A count.
    var majorFaults: UInt64?
    /// A count.
    var minorFaults: UInt64?
    var unused: UInt64?
    var available: UInt64?
    var usable: UInt64?
    /// Seconds since 1970.
    var lastUpdate: UInt64?
    var diskCaches: UInt64?
    /// A count.
    var hugepageAllocations: UInt64?
    /// A count.
    var hugepageFailures: UInt64?

    /// Reads the balloon's `guest-stats`.
    init(_ answer: JSONValue) {
        guard let stats = answer["stats"] else { return }
        func number(_ name: String, kibibytes: Bool) -> UInt64? {
            guard let value: UInt64 = stats[name]?.integer(), value != .max else { return nil }
            return kibibytes ? value / 1024 : value
        }
        swapIn = number("stat-swap-in", kibibytes: true)
        swapOut = number("stat-swap-out", kibibytes: true)
        majorFaults = number("stat-major-faults", kibibytes: false)
        minorFaults = number("stat-minor-faults", kibibytes: false)
        unused = number("stat-free-memory", kibibytes: true)
        available = number("stat-total-memory", kibibytes: true)
        usable = number("stat-available-memory", kibibytes: true)
        lastUpdate = answer["last-update"]?.integer()
        diskCaches = number("stat-disk-caches", kibibytes: true)
        hugepageAllocations = number("stat-htlb-pgalloc", kibibytes: false)
        hugepageFailures = number("stat-htlb-pgfail", kibibytes: false)
    }

    init() {}

    /// The numbers with their tags (virDomainMemoryStatTags) and names in bulk statistics, in libvirt's order.
    var tagged: [(tag: Int32, name: String, value: UInt64)] {
        let all: [(Int32, String, UInt64?)] = [
            (0, "swap_in", swapIn), (1, "swap_out", swapOut), (2, "major_fault", majorFaults),
            (3, "minor_fault", minorFaults), (4, "unused", unused), (5, "available", available),
            (8, "usable", usable), (9, "last-update", lastUpdate), (10, "disk_caches", diskCaches),
            (11, "hugetlb_pgalloc", hugepageAllocations), (12, "hugetlb_pgfail", hugepageFailures),
        ]
        return all.compactMap { tag, name, value in value.map { (tag, name, $0) } }
    }
}
