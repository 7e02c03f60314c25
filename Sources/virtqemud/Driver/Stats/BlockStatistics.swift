import Glibc
import VirtCore
import Synchronization
import VirtModel
import VirtOS

/// What QEMU counts for one drive.
struct BlockStatistics: Sendable, Equatable {
    var readRequests: Int64 = 0
    var readBytes: Int64 = 0
    /// Nanoseconds.
    var readTime: Int64 = 0
    var writeRequests: Int64 = 0
    var writeBytes: Int64 = 0
    var writeTime: Int64 = 0
    var flushRequests: Int64 = 0
    var flushTime: Int64 = 0
    /// The highest byte that was written: what a thin image takes.
    var highestOffset: UInt64 = 0

    /// Reads one entry of `query-blockstats`.
    init(_ entry: JSONValue) {
        let stats = entry["stats"] ?? .null
        func number(_ name: String) -> Int64 { stats[name]?.int ?? 0 }
        readRequests = number("rd_operations")
        readBytes = number("rd_bytes")
        readTime = number("rd_total_time_ns")
        writeRequests = number("wr_operations")
        writeBytes = number("wr_bytes")
        writeTime = number("wr_total_time_ns")
        flushRequests = number("flush_operations")
        flushTime = number("flush_total_time_ns")
        highestOffset = (entry["parent"]?["stats"] ?? stats)["wr_highest_offset"]?.integer() ?? 0
    }

    init() {}

    /// The drives' statistics by alias.
    static func byAlias(_ answer: JSONValue) -> [String: BlockStatistics] {
        var result: [String: BlockStatistics] = [:]
        for entry in answer.array ?? [] {
            guard let place = entry["qdev"]?.string else { continue }
            result[alias(place)] = BlockStatistics(entry)
        }
        return result
    }

    /// "virtio-disk0" of "/machine/peripheral/virtio-disk0/virtio-backend".
    static func alias(_ place: String) -> String {
        let parts = place.split(separator: "/")
        return parts.count > 2 && parts[1] == "peripheral" ? String(parts[2]) : place
    }
}

/// How large an image is, as QEMU or the file system tells.
struct ImageSize: Sendable, Equatable {
    /// What the guest sees.
    var capacity: UInt64 = 0
    /// What the file system gave it.
    var physical: UInt64 = 0
    var highestOffset: UInt64 = 0

    /// The images of `query-named-block-nodes` by node name.
    static func byNode(_ answer: JSONValue) -> [String: ImageSize] {
        var result: [String: ImageSize] = [:]
        for entry in answer.array ?? [] {
            guard let name = entry["node-name"]?.string else { continue }
            let image = entry["image"] ?? .null
            result[name] = ImageSize(
                capacity: image["virtual-size"]?.integer() ?? 0, physical: image["actual-size"]?.integer() ?? 0)
        }
        return result
    }
}

/// The sizes of an image that no QEMU has open: from the file system and its header. Blocks.
struct FileSizes: Sendable, Equatable {
    var capacity: UInt64
    var allocation: UInt64
    var physical: UInt64

    static func read(_ path: String, format: String?) -> FileSizes? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return make(path, format: format, status)
    }

    /// The sizes of a file that was looked at.
    static func make(_ path: String, format: String?, _ status: stat) -> FileSizes {
        let isBlock = status.st_mode & S_IFMT == S_IFBLK
        let size = isBlock ? deviceSize(path) : UInt64(clamping: status.st_size)
        let allocation =
            isBlock ? size : UInt64(clamping: status.st_blocks).multipliedReportingOverflow(by: 512).partialValue
        let stated = format == "raw" ? nil : CapacityCache.shared.capacity(path, status)
        return FileSizes(capacity: stated ?? size, allocation: allocation, physical: size)
    }

    private static func deviceSize(_ path: String) -> UInt64 {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        return UInt64(clamping: lseek(descriptor, 0, SEEK_END))
    }
}

/// The capacities that images' headers state, as long as the files are what they were: a thousand images that nobody
/// changed are not read again for every look.
final class CapacityCache: Sendable {
    static let shared = CapacityCache()

    private struct Entry {
        let inode: UInt64
        let size: Int64
        let seconds: Int64
        let nanoseconds: Int64
        let capacity: UInt64?
    }

    private static let limit = 8192
    private let entries = Mutex<[String: Entry]>([:])

    /// What the header of an image states; nil for a raw one. Blocks.
    func capacity(_ path: String, _ status: stat) -> UInt64? {
        let known = entries.withLock { $0[path] }
        let (seconds, nanoseconds) = (Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec))
        if let known, known.inode == status.st_ino, known.size == status.st_size, known.seconds == seconds,
            known.nanoseconds == nanoseconds
        {
            return known.capacity
        }
        let capacity = (try? FileSystem.start(of: path, ImageProbe.headerSize)).flatMap {
            ImageProbe.metadata($0).capacity
        }
        let entry = Entry(
            inode: UInt64(status.st_ino), size: Int64(status.st_size), seconds: seconds, nanoseconds: nanoseconds,
            capacity: capacity)
        entries.withLock { entries in
            if entries.count >= Self.limit { entries = [:] }
            entries[path] = entry
        }
        return capacity
    }
}
