import Glibc
import VirtCore
import VirtOS

/// Reads a log from a position on, across its rotated files (DOMAIN_READ_LOG_FILE).
struct LogReader {
    /// Longest text in a reply.
    static let longest = 4_194_304

    let path: String
    let backups: Int

    /// At most `count` bytes from `offset` of the file with this inode, and on through the newer ones. When that file is
    /// gone, from the start of the oldest.
    func read(inode: UInt64, offset: UInt64, count: Int) throws(VirtError) -> [UInt8] {
        // Oldest first: path.N-1 ... path.0, path.
        let names = (0..<backups).reversed().map { "\(path).\($0)" } + [path]
        var files: [(file: DescriptorBox, inode: UInt64)] = []
        for name in names {
            let opened = unsafe open(name, O_RDONLY | O_CLOEXEC)
            if opened < 0, errno == ENOENT { continue }
            guard opened >= 0 else { throw .system(errno, .none, "Unable to open file: \(name)") }
            let file = DescriptorBox(OwnedDescriptor(opened))
            var status = stat()
            guard unsafe fstat(opened, &status) == 0 else {
                throw .system(errno, .none, "Unable to determine current file inode: \(name)")
            }
            files.append((file, UInt64(status.st_ino)))
        }
        var bytes: [UInt8] = []
        let start = files.firstIndex { $0.inode == inode }
        var position = start == nil ? 0 : offset
        for (file, _) in files[(start ?? 0)...] where bytes.count < count {
            try read(file.rawValue, from: position, upTo: count, into: &bytes)
            position = 0
        }
        return bytes
    }

    private func read(
        _ file: Int32, from offset: UInt64, upTo count: Int, into bytes: inout [UInt8]
    ) throws(VirtError) {
        guard let offset = off_t(exactly: offset), lseek(file, offset, SEEK_SET) >= 0 else {
            throw .system(EINVAL, .none, "Unable to seek to offset \(offset) in \(path)")
        }
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count < count {
            let got = unsafe Glibc.read(file, &chunk, min(chunk.count, count - bytes.count))
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .system(errno, .none, "Unable to read from file \(path)") }
            if got == 0 { return }
            bytes += chunk.prefix(got)
        }
    }
}
