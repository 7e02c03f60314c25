import VirtCore
import VirtOS
import VirtWire

/// A process that holds a lock.
struct LockHolder: Hashable, Sendable {
    let pid: UInt32
    /// When it started, which tells a process from a later one with its number; nil: there was none of that number.
    let start: UInt64?

    init(pid: UInt32, start: UInt64?) {
        self.pid = pid
        self.start = start
    }

    /// The process that has the number now.
    init(pid: UInt32) {
        self.init(pid: pid, start: Self.startTime(pid))
    }

    /// The process was there and is no more.
    var isGone: Bool { start != nil && Self.startTime(pid) != start }

    private static func startTime(_ pid: UInt32) -> UInt64? {
        Int32(exactly: pid).flatMap { HostInfo.startTime(of: $0) }
    }
}

extension LockHolder: XDRCodable {
    init(from reader: inout XDRReader) throws(VirtError) {
        pid = try reader.uint32()
        let start = try reader.uint64()
        self.start = start == 0 ? nil : start
    }

    func encode(into writer: inout XDRWriter) {
        writer.uint32(pid)
        writer.uint64(start ?? 0)
    }
}
