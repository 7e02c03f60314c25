import VirtCore
import VirtWire

/// How far a job of the domain's own has come, or how it ended (virDomainGetJobStats).
struct JobStatistics: Sendable, Equatable {
    /// virDomainJobType.
    enum Status: Int32, Sendable { case none = 0, bounded, unbounded, completed, failed, cancelled }
    /// virDomainJobOperation.
    enum Operation: Int32, Sendable { case save = 2, snapshot = 6, dump = 8, backup = 9 }

    var operation: Operation
    var status: Status
    /// In milliseconds.
    var elapsed: UInt64
    /// Bytes of disks: all, and those that are done.
    var disk = DomainActor.Progress()
    /// Bytes of temporary files: at most, and used.
    var temporary = DomainActor.Progress()
    /// What QEMU counted while it wrote the guest's memory.
    var memory: MigrationStatistics?
    var error: String?

    var parameters: [TypedParameter] {
        var list: [TypedParameter] = [
            TypedParameter("operation", .int(operation.rawValue)), TypedParameter("time_elapsed", .ullong(elapsed)),
        ]
        if let memory { list += memory.parameters }
        if disk != DomainActor.Progress() {
            list.append(TypedParameter("disk_total", .ullong(disk.total)))
            list.append(TypedParameter("disk_processed", .ullong(disk.current)))
            list.append(TypedParameter("disk_remaining", .ullong(remaining)))
        }
        if temporary != DomainActor.Progress() {
            list.append(TypedParameter("disk_temp_used", .ullong(temporary.current)))
            list.append(TypedParameter("disk_temp_total", .ullong(temporary.total)))
        }
        if operation == .backup, status != .unbounded, status != .bounded {
            list.append(TypedParameter("success", .boolean(status == .completed)))
        }
        if let error { list.append(TypedParameter("errmsg", .string(error))) }
        return list
    }

    private var remaining: UInt64 { disk.total > disk.current ? disk.total - disk.current : 0 }

    /// The older form, which knows files and memory and nothing else of it.
    var info: RemoteDomainGetJobInfoRet {
        let (total, processed, left) = memory.map { ($0.total, $0.transferred, $0.remaining) } ?? (0, 0, 0)
        return RemoteDomainGetJobInfoRet(
            type: status.rawValue, timeElapsed: elapsed, timeRemaining: 0, dataTotal: total, dataProcessed: processed,
            dataRemaining: left, memTotal: total, memProcessed: processed, memRemaining: left, fileTotal: disk.total,
            fileProcessed: disk.current, fileRemaining: remaining)
    }
}
