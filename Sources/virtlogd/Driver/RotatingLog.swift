import CLinux
import Glibc
import VirtCore
import VirtOS

/// When a log file is put aside, and how many old ones are kept ("max_size", "max_backups").
struct RotationPolicy: Sendable, Equatable {
    /// Bytes; 0: never.
    var size: UInt64 = 2_097_152
    var backups: Int = 3
}

/// The file of a guest's log: appends, and rotates between lines where a line end is near.
///
/// The file is not opened for appending, because splice refuses that: positions are explicit, and there is one writer.
final class RotatingLog {
    /// How far before the limit a line end is looked for, so that lines are not cut.
    static let lineSearch = 80

    let path: String
    private let policy: RotationPolicy
    private var file: OwnedDescriptor
    private(set) var offset: UInt64 = 0
    private(set) var inode: UInt64 = 0

    init(path: String, policy: RotationPolicy, truncate: Bool = false) throws(VirtError) {
        self.path = path
        self.policy = policy
        file = OwnedDescriptor(-1)
        try open(truncate: truncate)
    }

    private func open(truncate: Bool = false) throws(VirtError) {
        let flags = O_WRONLY | O_CREAT | O_CLOEXEC | (truncate ? O_TRUNC : 0)
        let opened = unsafe Glibc.open(path, flags, 0o600)
        guard opened >= 0 else { throw .system(errno, .none, "Unable to open file: \(path)") }
        file = OwnedDescriptor(opened)
        var status = stat()
        guard unsafe fstat(opened, &status) == 0 else {
            throw .system(errno, .none, "Unable to determine current file inode: \(path)")
        }
        inode = UInt64(status.st_ino)
        let end = lseek(opened, 0, SEEK_END)
        guard end >= 0 else { throw .system(errno, .none, "Unable to seek to end of file: \(path)") }
        offset = UInt64(end)
    }

    /// Bytes that the file still takes; nil: any number.
    private var room: UInt64? {
        guard policy.size > 0 else { return nil }
        return policy.size > offset ? policy.size - offset : 0
    }

    /// Where to cut `bytes`, which do not fit into `room` any more: behind the last line end near the limit.
    static func cut(_ bytes: some BidirectionalCollection<UInt8>, room: Int) -> Int {
        let tail = bytes.prefix(room).suffix(lineSearch)
        guard let newline = tail.lastIndex(of: UInt8(ascii: "\n")) else { return room }
        return bytes.distance(from: bytes.startIndex, to: newline) + 1
    }

    /// Appends a message.
    func append(_ bytes: [UInt8]) throws(VirtError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            var count = rest.count
            if let room, UInt64(count) > room {
                if room == 0 {
                    try rotate()
                    continue
                }
                count = RotatingLog.cut(rest, room: Int(room))
            }
            try write(rest.prefix(count))
            rest = rest.dropFirst(count)
            if !rest.isEmpty { try rotate() }
        }
    }

    private func write(_ bytes: ArraySlice<UInt8>) throws(VirtError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(file.rawValue, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .system(errno, .none, "Unable to write to file \(path)") }
            offset += UInt64(count)
            rest = rest.dropFirst(count)
        }
    }

    /// Moves up to `limit` bytes that wait in `pipe` into the file, rotating as needed, inside the kernel: a process that
    /// dies between two calls has lost nothing. Returns how many were moved.
    func take(from pipe: Int32, limit: Int, scratch: ScratchPipe) throws(VirtError) -> Int {
        var moved = 0
        while moved < limit {
            let waiting = try ScratchPipe.waiting(in: pipe)
            guard waiting > 0 else { break }
            var count = min(waiting, limit - moved)
            var isCut = false
            if let room, UInt64(count) > room {
                if room == 0 {
                    try rotate()
                    continue
                }
                let seen = try scratch.peek(pipe, Int(room))
                count = RotatingLog.cut(seen, room: seen.count)
                isCut = true
            }
            let result = clinux_splice(pipe, file.rawValue, count)
            guard result > 0 else {
                if result == 0 || result == -Int(EAGAIN) { break }
                throw .system(Int32(truncatingIfNeeded: -result), .none, "Unable to write to file \(path)")
            }
            moved += result
            offset += UInt64(result)
            if isCut, result == count { try rotate() }
        }
        return moved
    }

    /// g.log becomes g.log.0, g.log.0 becomes g.log.1, ...; the oldest goes.
    private func rotate() throws(VirtError) {
        if policy.backups == 0 {
            guard unsafe unlink(path) == 0 || errno == ENOENT else {
                throw .system(errno, .none, "Unable to unlink \(path)")
            }
        } else {
            for index in stride(from: policy.backups - 1, through: 0, by: -1) {
                let from = index == 0 ? path : "\(path).\(index - 1)"
                guard unsafe rename(from, "\(path).\(index)") == 0 || errno == ENOENT else {
                    throw .system(errno, .none, "Unable to rename \(from) to \(path).\(index)")
                }
            }
        }
        try open()
    }
}

/// A pipe to look at the bytes of another pipe without taking them out (tee).
final class ScratchPipe {
    private let pipe: OwnedDescriptor.Pipe

    init() throws(VirtError) {
        pipe = try OwnedDescriptor.pipe(nonBlocking: true)
    }

    /// Bytes that can be read from a pipe now.
    static func waiting(in pipe: Int32) throws(VirtError) -> Int {
        var count: Int32 = 0
        guard unsafe ioctl(pipe, UInt(FIONREAD), &count) == 0 else {
            throw .system(errno, .none, "Unable to ask a pipe")
        }
        return Int(count)
    }

    /// The first bytes of `source`, at most `count` of them, which stay in it.
    func peek(_ source: Int32, _ count: Int) throws(VirtError) -> [UInt8] {
        let copied = clinux_tee(source, pipe.writing.rawValue, count)
        guard copied > 0 else {
            throw .system(
                copied == 0 ? EAGAIN : Int32(truncatingIfNeeded: -copied), .none, "Unable to look into a pipe")
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count < copied {
            let got = unsafe Glibc.read(pipe.reading.rawValue, &chunk, min(chunk.count, copied - bytes.count))
            guard got > 0 else { throw .system(errno, .none, "Unable to look into a pipe") }
            bytes += chunk.prefix(got)
        }
        return bytes
    }
}
