import Glibc

/// A mounted hugetlbfs.
struct HugepageMount: Sendable, Equatable {
    var path: String
    /// KiB.
    var size: UInt64

    /// The mounts, the one with the kernel's default size first. Blocks, for a moment.
    static func all() -> [HugepageMount] {
        let standard = SysFile.kibibytes("Hugepagesize", in: SysFile.text("/proc/meminfo") ?? "") ?? 2048
        return parse(SysFile.text("/proc/mounts") ?? "", standard: standard)
    }

    static func parse(_ mounts: String, standard: UInt64) -> [HugepageMount] {
        var found: [HugepageMount] = []
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count >= 4, fields[2] == "hugetlbfs" else { continue }
            let option = fields[3].split(separator: ",").first { $0.hasPrefix("pagesize=") }
            let size = option.flatMap { kibibytes(String($0.dropFirst("pagesize=".count))) } ?? standard
            guard !found.contains(where: { $0.size == size }) else { continue }
            found.append(HugepageMount(path: String(fields[1]), size: size))
        }
        return found.sorted { ($0.size != standard ? 1 : 0, $0.size) < ($1.size != standard ? 1 : 0, $1.size) }
    }

    private static func kibibytes(_ text: String) -> UInt64? {
        let units: [Character: UInt64] = ["K": 1, "k": 1, "M": 1 << 10, "G": 1 << 20]
        guard let last = text.last, let unit = units[last], let number = UInt64(text.dropLast()) else {
            return UInt64(text).map { $0 / 1024 }
        }
        let (value, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow ? nil : value
    }
}
