import Glibc

/// Reads and writes the few files that there are, with the C library alone.
package enum Files {
    /// A file that could not be read or written.
    package struct Failure: Error, CustomStringConvertible {
        package let path: String
        package let errno: Int32

        package var description: String {
            unsafe "\(path): \(strerror(errno).map { unsafe String(cString: $0) } ?? "\(errno)")"
        }
    }

    /// Files of a directory whose names end in `suffix`, with their text.
    package static func read(directory: String, suffix: String) throws -> [String: String] {
        guard let handle = unsafe opendir(directory) else { throw Failure(path: directory, errno: errno) }
        defer { unsafe closedir(handle) }
        var files: [String: String] = [:]
        while let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(suffix) { files[name] = try read("\(directory)/\(name)") }
        }
        return files
    }

    private static func read(_ path: String) throws -> String {
        guard let file = unsafe fopen(path, "re") else { throw Failure(path: path, errno: errno) }
        defer { unsafe fclose(file) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe fread(&buffer, 1, buffer.count, file)
            if count == 0 { break }
            text += buffer[..<count]
        }
        guard unsafe ferror(file) == 0 else { throw Failure(path: path, errno: errno) }
        return String(decoding: text, as: UTF8.self)
    }

    package static func write(_ text: String, to path: String) throws {
        guard let file = unsafe fopen(path, "we") else { throw Failure(path: path, errno: errno) }
        let bytes = Array(text.utf8)
        let written = unsafe fwrite(bytes, 1, bytes.count, file)
        guard unsafe fclose(file) == 0, written == bytes.count else { throw Failure(path: path, errno: errno) }
    }

    package static func remove(_ path: String) {
        unsafe unlink(path)
    }
}
