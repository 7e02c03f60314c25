import Glibc

/// What the kernel counts for a process and its threads.
struct ProcessStatistics: Sendable, Equatable {
    /// Nanoseconds.
    var user: UInt64
    /// Nanoseconds.
    var system: UInt64
    /// The processor that it ran on last.
    var processor: Int32
    /// Kibibytes.
    var resident: UInt64
    /// Clock ticks since boot.
    var startTime: UInt64

    /// Nanoseconds on the processor.
    var total: UInt64 { user &+ system }

    /// Reads a process, or one of its threads.
    static func read(pid: Int32, thread: Int32? = nil) -> ProcessStatistics? {
        let path = thread.map { "/proc/\(pid)/task/\($0)/stat" } ?? "/proc/\(pid)/stat"
        return ProcFile.text(path).flatMap { parse($0) }
    }

    /// Reads a line of /proc/PID/stat; the name in parentheses may hold anything.
    static func parse(_ line: String, ticks: UInt64 = ticksPerSecond, page: UInt64 = pageSize) -> ProcessStatistics? {
        guard let end = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: end)...].split(separator: " ")
        // The first field here is number 3 (state) of proc(5).
        guard fields.count > 36, let user = UInt64(fields[11]), let system = UInt64(fields[12]),
            let start = UInt64(fields[19]), let resident = UInt64(fields[21]), let processor = Int32(fields[36])
        else { return nil }
        return ProcessStatistics(
            user: nanoseconds(user, ticks), system: nanoseconds(system, ticks), processor: processor,
            resident: resident.multipliedReportingOverflow(by: page / 1024).partialValue, startTime: start)
    }

    private static func nanoseconds(_ ticks: UInt64, _ perSecond: UInt64) -> UInt64 {
        let (product, overflow) = ticks.multipliedReportingOverflow(by: 1_000_000_000 / max(1, perSecond))
        return overflow ? .max : product
    }

    static var ticksPerSecond: UInt64 { UInt64(max(1, sysconf(Int32(_SC_CLK_TCK)))) }
    static var pageSize: UInt64 { UInt64(max(1024, sysconf(Int32(_SC_PAGESIZE)))) }

    /// Nanoseconds that a thread was runnable but waited for a processor (second field of schedstat).
    static func runDelay(pid: Int32, thread: Int32) -> UInt64? {
        guard let text = ProcFile.text("/proc/\(pid)/task/\(thread)/schedstat") else { return nil }
        let fields = text.split(whereSeparator: \.isWhitespace)
        return fields.count > 1 ? UInt64(fields[1]) : nil
    }

    /// Nanoseconds that a thread waited for its turn, as the scheduler's debugging file tells; 0 without that file.
    static func schedulerWait(pid: Int32, thread: Int32) -> UInt64 {
        guard let text = ProcFile.text("/proc/\(pid)/task/\(thread)/sched") else { return 0 }
        for line in text.split(separator: "\n")
        where line.hasPrefix("se.statistics.wait_sum")
            || line.hasPrefix("wait_sum")
        {
            guard let value = line.split(separator: ":").last.map({ $0.filter { $0 != " " } }),
                let milliseconds = Double(value), milliseconds >= 0, milliseconds < 1e12
            else { return 0 }
            return UInt64(milliseconds * 1_000_000)
        }
        return 0
    }
}
