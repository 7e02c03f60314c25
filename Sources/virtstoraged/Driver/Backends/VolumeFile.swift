import CLinux
import Glibc
import VirtCore
import VirtOS

/// A volume's content while a stream reads or writes it. All of it blocks: call it through a `BlockingPool`.
final class VolumeFile: Sendable {
    let path: String
    private let file: DescriptorBox

    /// - Parameter path: a file or a block device.
    init(opening path: String, forWriting: Bool) throws(VirtError) {
        self.path = path
        let flags = (forWriting ? O_WRONLY : O_RDONLY) | O_NOCTTY
        let raw = unsafe path.withCString { unsafe clinux_open($0, flags, 0) }
        guard raw >= 0 else { throw .system(-raw, .streams, "Unable to open stream for '\(path)'") }
        file = DescriptorBox(OwnedDescriptor(raw))
        guard try FileStatus(descriptor: raw, path: path).kind != .directory else {
            throw .system(EISDIR, .streams, "Unable to open stream for '\(path)'")
        }
    }

    /// Where the content ends now.
    func size() throws(VirtError) -> Int64 {
        let end = lseek(file.rawValue, 0, SEEK_END)
        guard end >= 0 else { throw .system(errno, .streams, "Unable to seek \(path) to its end") }
        return Int64(end)
    }

    /// At most `count` bytes; none at the end.
    func read(at position: Int64, count: Int) throws(VirtError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while true {
                let result = unsafe pread(file.rawValue, buffer.baseAddress, buffer.count, off_t(position))
                if result < 0, errno == EINTR { continue }
                failure = result < 0 ? errno : 0
                filled = max(0, result)
                return
            }
        }
        guard failure == 0 else { throw .system(failure, .streams, "cannot read from stream") }
        return bytes
    }

    func write(_ bytes: ArraySlice<UInt8>, at position: Int64) throws(VirtError) {
        var rest = bytes
        var position = position
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe pwrite(file.rawValue, $0.baseAddress, $0.count, off_t(position))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .system(errno, .streams, "cannot write to stream") }
            rest = rest.dropFirst(count)
            position += Int64(count)
        }
    }

    /// Makes a range read as zeros: without space where the file can have holes.
    func makeHole(at position: Int64, length: Int64) throws(VirtError) {
        let end = position.addingReportingOverflow(length)
        guard !end.overflow else { throw .system(EFBIG, .streams, "cannot write to stream") }
        let size = try size()
        if position < size {
            let inside = min(length, size - position)
            let punchHole: Int32 = 2 | 1  // and keep the size
            if clinux_allocate(file.rawValue, punchHole, position, inside) < 0 {
                try writeZeros(at: position, length: inside)
            }
        }
        if end.partialValue > size, ftruncate(file.rawValue, off_t(end.partialValue)) < 0 {
            throw .system(errno, .streams, "cannot write to stream")
        }
    }

    private func writeZeros(at position: Int64, length: Int64) throws(VirtError) {
        let zeros = [UInt8](repeating: 0, count: 1 << 18)
        var done: Int64 = 0
        while done < length {
            let count = min(length - done, Int64(zeros.count))
            try write(zeros[..<Int(count)], at: position + done)
            done += count
        }
    }

    /// The run of data or hole that begins at `position`.
    func extent(at position: Int64, end: Int64) -> FileExtent {
        FileExtent.next(file.rawValue, from: off_t(position), end: off_t(end))
    }

    func sync() throws(VirtError) {
        guard fdatasync(file.rawValue) == 0 || errno == EINVAL || errno == EROFS else {
            throw .system(errno, .streams, "cannot sync data to '\(path)'")
        }
    }
}
