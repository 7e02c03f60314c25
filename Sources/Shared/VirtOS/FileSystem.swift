import CLinux
import Glibc
package import VirtCore

/// Files as the daemons read and write them. All of it blocks: call it through a `BlockingPool`.
package enum FileSystem {
    /// The whole of a file of at most `limit` bytes; a larger one is EOVERFLOW.
    package static func read(_ path: String, limit: Int = 32 << 20) throws(VirtError) -> [UInt8] {
        let file = try OwnedDescriptor(opening: path, O_RDONLY)
        return try readAll(file.rawValue, path, limit)
    }

    /// The first `count` bytes of a file or block device, or all if there are fewer. It never waits for a writer of a pipe.
    package static func start(of path: String, _ count: Int) throws(VirtError) -> [UInt8] {
        let file = try OwnedDescriptor(opening: path, O_RDONLY | O_NONBLOCK)
        return try start(of: file.rawValue, count, name: path)
    }

    /// The same of an open file, from a place in it.
    package static func start(
        of file: Int32, at place: Int = 0, _ count: Int, name: String
    ) throws(VirtError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = unsafe bytes.withUnsafeMutableBytes {
                unsafe Glibc.pread(file, $0.baseAddress?.advanced(by: done), count - done, off_t(place + done))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .system(errno, .storage, "cannot read header '\(name)'") }
            if got == 0 { break }
            done += got
        }
        bytes.removeSubrange(done...)
        return bytes
    }

    private static func readAll(_ file: Int32, _ path: String, _ limit: Int) throws(VirtError) -> [UInt8] {
        var status = stat()
        let size = unsafe fstat(file, &status) == 0 && status.st_size > 0 ? Int(status.st_size) : 0
        var bytes: [UInt8] = []
        while true {
            // Room for one byte more than is expected: a read that leaves it free was the last one.
            let room = bytes.isEmpty && size > 0 ? min(size, limit) + 1 : 1 << 16
            let more = try readOnce(file, room, path)
            guard bytes.count + more.count <= limit else {
                throw .system(EOVERFLOW, .none, "Failed to read file '\(path)'")
            }
            if bytes.isEmpty { bytes = more } else { bytes += more }
            if more.isEmpty || more.count == size && bytes.count == size { return bytes }
        }
    }

    private static func readOnce(_ file: Int32, _ room: Int, _ path: String) throws(VirtError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            var result: Int
            repeat { unsafe result = Glibc.read(file, buffer.baseAddress, room) } while result < 0 && errno == EINTR
            failure = result < 0 ? errno : 0
            count = max(0, result)
        }
        guard failure == 0 else { throw .system(failure, .none, "Failed to read file '\(path)'") }
        return bytes
    }

    /// Writes all of `bytes` to a descriptor that blocks.
    package static func write(_ descriptor: Int32, _ bytes: [UInt8], name: String) throws(VirtError) {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(errno, .none, "cannot write data to file '\(name)'") }
            done += count
        }
    }

    /// Whether the path leads to something.
    package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Whether the path leads to a directory.
    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Removes a file or link. False: there was none.
    @discardableResult
    package static func remove(_ path: String) throws(VirtError) -> Bool {
        if unsafe unlink(path) == 0 { return true }
        guard errno == ENOENT else { throw .system(errno, .none, "Unable to remove file '\(path)'") }
        return false
    }

    /// Makes the file's directory entry survive a crash.
    package static func syncDirectory(_ path: String) throws(VirtError) {
        let directory = try OwnedDescriptor(opening: path, O_RDONLY | O_DIRECTORY)
        // File systems without a notion of it say EINVAL.
        guard fsync(directory.rawValue) == 0 || errno == EINVAL else {
            throw .system(errno, .none, "Failed to sync directory '\(path)'")
        }
    }

    /// The directory that holds the path.
    package static func directory(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
