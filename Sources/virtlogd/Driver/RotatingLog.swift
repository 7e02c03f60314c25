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
/// It is opened when it is needed: a directory that cannot be written to now may be later.
final class RotatingLog {
    /// How far before the limit a line end is looked for, so that lines are not cut.
    static let lineSearch = 80

    let path: String
    private let policy: RotationPolicy
    private let access: LogFileAccess
    private var file: DescriptorBox?
    /// Where the next byte goes.
    private(set) var offset: UInt64 = 0
    private(set) var inode: UInt64 = 0
    /// The next byte goes into a new file, whatever room is left in this one.
    private var isFull = false

    init(path: String, policy: RotationPolicy, access: LogFileAccess = LogFileAccess()) {
        self.path = path
        self.policy = policy
        self.access = access
    }

    /// Starts over without the file and its backups.
    func removeAll() throws(VirtError) {
        file = nil
        for name in [path] + (0..<policy.backups).map({ "\(path).\($0)" }) {
            guard unsafe unlink(name) == 0 || errno == ENOENT else {
                throw .system(errno, .none, "Unable to delete file \(name)")
            }
        }
    }

    /// Opens the file, unless it is open, and goes to its end.
    @discardableResult
    func open() throws(VirtError) -> Int32 {
        if let file {
            try findEnd(file.rawValue)
            return file.rawValue
        }
        let opened = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw .system(errno, .none, "Unable to open file: \(path)") }
        let box = DescriptorBox(OwnedDescriptor(opened))
        offset = .max
        try findEnd(opened)
        grantAccess(opened)
        file = box
        return opened
    }

    /// A log that its readers cannot read is still better than none.
    private func grantAccess(_ file: Int32) {
        if let group = access.group, fchown(file, uid_t.max, group) != 0 {
            log.warning("the group of '\(path)' cannot be set to \(group): \(VirtError.describe(errno: errno))")
        }
        if let mode = access.mode, fchmod(file, mode) != 0 {
            log.warning("the mode of '\(path)' cannot be set: \(VirtError.describe(errno: errno))")
        }
    }

    /// The end is where another program left it that cuts or extends the file ("copytruncate").
    private func findEnd(_ file: Int32) throws(VirtError) {
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else {
            throw .system(errno, .none, "Unable to determine current file inode: \(path)")
        }
        inode = UInt64(status.st_ino)
        guard UInt64(status.st_size) != offset else { return }
        let end = lseek(file, 0, SEEK_END)
        guard end >= 0 else { throw .system(errno, .none, "Unable to seek to end of file: \(path)") }
        offset = UInt64(end)
    }

    /// The file to write to, and how many bytes it still takes; nil: any number.
    private func target() throws(VirtError) -> (file: Int32, room: UInt64?) {
        var file = try open()
        guard policy.size > 0 else { return (file, nil) }
        if isFull || offset >= policy.size {
            try rotate()
            file = try open()
        }
        return (file, policy.size > offset ? policy.size - offset : policy.size)
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
            let (file, room) = try target()
            var count = rest.count
            if let room, UInt64(count) > room { count = RotatingLog.cut(rest, room: Int(room)) }
            try write(rest.prefix(count), file)
            isFull = count < rest.count
            rest = rest.dropFirst(count)
        }
    }

    /// Appends a line that must not be cut: where it does not fit, it is the next file's first. On failure nothing of it
    /// is left.
    func appendWhole(_ line: [UInt8]) throws(VirtError) {
        var (file, room) = try target()
        if let room, UInt64(line.count) > room, offset > 0 {
            isFull = true
            file = try target().file
        }
        let start = offset
        do throws(VirtError) {
            try write(line[...], file)
        } catch {
            if ftruncate(file, off_t(start)) == 0, lseek(file, off_t(start), SEEK_SET) >= 0 { offset = start }
            throw error
        }
    }

    private func write(_ bytes: ArraySlice<UInt8>, _ file: Int32) throws(VirtError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
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
            let (file, room) = try target()
            let (count, isLast) = try portion(of: waiting, room, pipe, scratch)
            let result = clinux_splice(pipe, file, min(count, limit - moved))
            guard result > 0 else {
                if result == 0 || result == -Int(EAGAIN) { break }
                throw .system(Int32(truncatingIfNeeded: -result), .none, "Unable to write to file \(path)")
            }
            moved += result
            offset += UInt64(result)
            isFull = isLast && result == count
        }
        return moved
    }

    /// How many of the waiting bytes go into the file in one step, and whether they are its last.
    private func portion(
        of waiting: Int, _ room: UInt64?, _ pipe: Int32, _ scratch: ScratchPipe
    ) throws(VirtError) -> (count: Int, isLast: Bool) {
        guard let room, UInt64(waiting) > room else { return (waiting, false) }
        let space = Int(room)
        // Up to where the search for a line end begins there is nothing to look at.
        guard space <= Self.lineSearch else { return (space - Self.lineSearch, false) }
        let seen = try scratch.peek(pipe, space)
        return (Self.cut(seen, room: seen.count), true)
    }

    /// g.log becomes g.log.0, g.log.0 becomes g.log.1, ...; the oldest goes. A step that fails is the next one's first.
    private func rotate() throws(VirtError) {
        if policy.backups == 0 {
            guard unsafe unlink(path) == 0 || errno == ENOENT else {
                throw .system(errno, .none, "Unable to unlink \(path)")
            }
        } else {
            // Where a name is free, those behind it stay: so does what an attempt before has moved already.
            let free = (0..<policy.backups).first { !FileSystem.exists("\(path).\($0)") } ?? policy.backups - 1
            for index in stride(from: free, through: 0, by: -1) {
                let from = index == 0 ? path : "\(path).\(index - 1)"
                guard unsafe rename(from, "\(path).\(index)") == 0 || errno == ENOENT else {
                    throw .system(errno, .none, "Unable to rename \(from) to \(path).\(index)")
                }
            }
        }
        file = nil
        isFull = false
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
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < copied {
            let got = unsafe Glibc.read(pipe.reading.rawValue, &chunk, min(chunk.count, copied - bytes.count))
            guard got > 0 else { throw .system(errno, .none, "Unable to look into a pipe") }
            bytes += chunk.prefix(got)
        }
        return bytes
    }
}
