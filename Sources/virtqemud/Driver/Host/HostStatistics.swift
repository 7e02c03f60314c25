import Glibc
import VirtCore
import VirtOS

/// Counters of the host. All of it blocks, for a moment.
enum HostStatistics {
    /// Nanoseconds that a processor, or all (-1), spent: libvirt's names with their values.
    static func processor(_ number: Int32) throws(VirtError) -> [(String, UInt64)] {
        let name = number < 0 ? "cpu" : "cpu\(number)"
        for line in (SysFile.text("/proc/stat") ?? "").split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.first.map(String.init) == name else { continue }
            let values = fields.dropFirst().compactMap { UInt64($0) } + [UInt64](repeating: 0, count: 10)
            let tick = UInt64(1_000_000_000) / UInt64(max(sysconf(Int32(_SC_CLK_TCK)), 1))
            let nanoseconds = { (value: UInt64) in value.multipliedReportingOverflow(by: tick).partialValue }
            return [
                ("kernel", nanoseconds(values[2] &+ values[5] &+ values[6])),
                ("user", nanoseconds(values[0] &+ values[1])),
                ("idle", nanoseconds(values[3])), ("iowait", nanoseconds(values[4])),
            ]
        }
        throw VirtError(code: .invalidArg, domain: .none, verbatim: "Invalid cpuNum in virHostCPUGetStatsLinux")
    }

    /// KiB of a node's memory, or of all (-1).
    static func memory(_ cell: Int32) throws(VirtError) -> [(String, UInt64)] {
        let path = cell < 0 ? "/proc/meminfo" : "/sys/devices/system/node/node\(cell)/meminfo"
        guard let text = SysFile.text(path) else {
            throw VirtError(
                code: .invalidArg, domain: .none,
                verbatim: "cellNum in virHostMemGetStats must be less than or equal to "
                    + "\(SysFile.list("/sys/devices/system/node/online").max() ?? 0)")
        }
        let fields = [("total", "MemTotal"), ("free", "MemFree"), ("buffers", "Buffers"), ("cached", "Cached")]
        return fields.prefix(cell < 0 ? 4 : 2).map { ($0.0, SysFile.kibibytes($0.1, in: text) ?? 0) }
    }

    /// The kernel's merging of equal pages.
    static func sharedMemory() -> [TypedParameter] {
        let wide = [
            "shm_pages_shared", "shm_pages_sharing", "shm_pages_unshared", "shm_pages_volatile", "shm_full_scans",
        ]
        let files = [
            ("shm_pages_to_scan", "pages_to_scan"), ("shm_sleep_millisecs", "sleep_millisecs"),
            ("shm_pages_shared", "pages_shared"), ("shm_pages_sharing", "pages_sharing"),
            ("shm_pages_unshared", "pages_unshared"), ("shm_pages_volatile", "pages_volatile"),
            ("shm_full_scans", "full_scans"), ("shm_merge_across_nodes", "merge_across_nodes"),
        ]
        return files.compactMap { field, file in
            guard let value: UInt64 = SysFile.number("/sys/kernel/mm/ksm/\(file)") else { return nil }
            return TypedParameter(field, wide.contains(field) ? .ullong(value) : .uint(UInt32(clamping: value)))
        }
    }

    /// Sets what may be set of the merging of equal pages.
    static func setSharedMemory(_ parameters: [TypedParameter]) throws(VirtError) {
        let files = [
            "shm_pages_to_scan": "pages_to_scan", "shm_sleep_millisecs": "sleep_millisecs",
            "shm_merge_across_nodes": "merge_across_nodes",
        ]
        for parameter in parameters {
            guard let file = files[parameter.field] else {
                throw VirtError(.invalidArg, .none, "parameter '\(parameter.field)' not supported")
            }
            guard case .uint(let value) = parameter.value else {
                throw VirtError(.invalidArg, .none, "invalid type for parameter '\(parameter.field)', expected 'uint'")
            }
            let path = "/sys/kernel/mm/ksm/\(file)"
            let descriptor = try OwnedDescriptor(opening: path, O_WRONLY)
            try FileSystem.write(descriptor.rawValue, Array(String(value).utf8), name: path)
        }
    }
}
