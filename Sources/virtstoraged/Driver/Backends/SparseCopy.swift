import CLinux
import Glibc
import VirtCore
import VirtOS

/// Copies files without filling their holes.
enum SparseCopy {
    /// Copies the data of one open file into another, each piece to the place where it was.
    static func copy(from source: Int32, _ sourcePath: String, to target: Int32, _ targetPath: String) throws(VirtError)
    {
        let size = lseek(source, 0, SEEK_END)
        guard size >= 0 else { throw .system(errno, .storage, "failed reading from file '\(sourcePath)'") }
        var position: off_t = 0
        while position < size {
            let piece = FileExtent.next(source, from: position, end: size)
            if piece.isData {
                try copy(piece, source, sourcePath, target, targetPath)
            }
            position = piece.end
        }
    }

    private static func copy(
        _ piece: FileExtent, _ source: Int32, _ sourcePath: String, _ target: Int32, _ targetPath: String
    ) throws(VirtError) {
        guard lseek(source, piece.start, SEEK_SET) >= 0, lseek(target, piece.start, SEEK_SET) >= 0 else {
            throw .system(errno, .storage, "cannot seek in '\(sourcePath)'")
        }
        var left = piece.end - piece.start
        var inKernel = true
        var buffer: [UInt8] = []
        while left > 0 {
            if inKernel {
                let count = clinux_copy_range(source, target, Int(clamping: left))
                if count == 0 { return }
                if count > 0 {
                    left -= off_t(count)
                    continue
                }
                if count == -ENOSPC || count == -EIO || count == -EFBIG || count == -EDQUOT {
                    throw .system(Int32(-count), .storage, "failed writing to file '\(targetPath)'")
                }
                inKernel = false
                buffer = [UInt8](repeating: 0, count: 1 << 20)
            }
            let count = unsafe read(source, &buffer, min(buffer.count, Int(clamping: left)))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(errno, .storage, "failed reading from file '\(sourcePath)'") }
            if count == 0 { return }
            try write(target, buffer[..<count], targetPath)
            left -= off_t(count)
        }
    }

    private static func write(_ file: Int32, _ bytes: ArraySlice<UInt8>, _ path: String) throws(VirtError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .system(errno, .storage, "failed writing to file '\(path)'") }
            rest = rest.dropFirst(count)
        }
    }
}

/// A run of a file's bytes that are all there, or all not.
struct FileExtent: Equatable {
    let start: off_t
    let end: off_t
    let isData: Bool

    /// The run that begins at `position`, which is before `end`. File systems without holes show data throughout.
    static func next(_ file: Int32, from position: off_t, end: off_t) -> FileExtent {
        let seekData: Int32 = 3
        let seekHole: Int32 = 4
        let data = lseek(file, position, seekData)
        if data < 0 {
            // ENXIO: no data up to the end.
            return FileExtent(start: position, end: end, isData: errno != ENXIO)
        }
        if data > position { return FileExtent(start: position, end: min(data, end), isData: false) }
        let hole = lseek(file, position, seekHole)
        return FileExtent(start: position, end: hole > position ? min(hole, end) : end, isData: true)
    }
}
