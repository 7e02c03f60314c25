import Glibc

/// Small files of /proc and /sys, read in one go on the calling thread: the kernel answers them from memory.
enum ProcFile {
    /// The bytes of a file, nil when it can't be read. At most 256 KiB.
    static func bytes(_ path: String, limit: Int = 262_144) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        while result.count < limit {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            if count == 0 { break }
            result.append(contentsOf: buffer[0..<count])
        }
        return result
    }

    static func text(_ path: String) -> String? {
        bytes(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// A file that holds one number.
    static func number(_ path: String) -> UInt64? {
        guard let text = text(path) else { return nil }
        return UInt64(text.split(whereSeparator: \.isWhitespace).first ?? "")
    }
}
