import Glibc
import VirtCore
import VirtOS

/// What an image's first bytes say: its format, its size, and the image below it. Nothing in it is trusted.
struct ImageHeader: Sendable, Equatable {
    enum Format: String, Sendable { case raw, qcow2 }

    var format = Format.raw
    /// Bytes that the guest sees; nil for a raw image, whose size is the file's.
    var capacity: UInt64?
    /// As it is written in the image: relative to its directory.
    var backing: String?
    var backingFormat: String?

    /// How much of an image is looked at.
    static let length = 65536
    private static let magic: [UInt8] = [0x51, 0x46, 0x49, 0xFB]
    private static let backingFormatExtension: UInt32 = 0xE279_2ACA

    /// Reads a header of an image that is known to be qcow2; any bytes make a raw image.
    static func parse(_ bytes: [UInt8]) -> ImageHeader {
        var header = ImageHeader()
        guard bytes.count >= 72, bytes.starts(with: magic) else { return header }
        let version = word(bytes, 4)
        guard version == 2 || version == 3 else { return header }
        header.format = .qcow2
        header.capacity = long(bytes, 24)
        let offset = Int(clamping: long(bytes, 8))
        let length = Int(word(bytes, 16))
        if offset > 0, length > 0, length <= 1023, offset <= bytes.count, length <= bytes.count - offset {
            header.backing = String(decoding: bytes[offset..<(offset + length)], as: UTF8.self)
        }
        header.readExtensions(bytes, version: version, end: offset > 0 ? offset : bytes.count)
        return header
    }

    private mutating func readExtensions(_ bytes: [UInt8], version: UInt32, end: Int) {
        var position = version == 2 ? 72 : max(104, bytes.count >= 104 ? Int(Self.word(bytes, 100)) : bytes.count)
        let limit = min(end, bytes.count)
        while position >= 0, position <= limit - 8 {
            let kind = Self.word(bytes, position)
            let length = Int(Self.word(bytes, position + 4))
            if kind == 0 { return }
            let start = position + 8
            guard length <= limit - start else { return }
            if kind == Self.backingFormatExtension {
                backingFormat = String(decoding: bytes[start..<(start + length)], as: UTF8.self)
            }
            position = start + (length + 7) / 8 * 8
        }
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        guard offset >= 0, offset <= bytes.count - 4 else { return 0 }
        return bytes[offset..<(offset + 4)].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func long(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
        UInt64(word(bytes, offset)) << 32 | UInt64(word(bytes, offset + 4))
    }

    /// Reads the start of an image. Blocks.
    static func read(_ path: String) throws(VirtError) -> ImageHeader {
        let file = try OwnedDescriptor(opening: path, O_RDONLY | O_NONBLOCK)
        var bytes = [UInt8](repeating: 0, count: length)
        var count = 0
        while count < bytes.count {
            let got = unsafe bytes.withUnsafeMutableBytes {
                unsafe Glibc.pread(file.rawValue, $0.baseAddress?.advanced(by: count), $0.count - count, off_t(count))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .system(errno, .storage, "cannot read header '\(path)'") }
            if got == 0 { break }
            count += got
        }
        return parse(Array(bytes.prefix(count)))
    }

    /// Where the image below `path` is: relative names count from the image's directory.
    static func resolve(_ backing: String, relativeTo path: String) -> String? {
        if backing.hasPrefix("/") { return backing }
        if backing.hasPrefix("file:") { return resolve(String(backing.dropFirst(5)), relativeTo: path) }
        // json: and protocol:// sources are no files of this host.
        guard !backing.hasPrefix("json:"), !backing.contains("://") else { return nil }
        return FileSystem.directory(of: path) + "/" + backing
    }
}
