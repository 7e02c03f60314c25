/// Paths as libvirt compares and keeps them.
package enum StoragePath {
    /// Without repeated and trailing slashes; exactly two leading ones are kept, as POSIX has a meaning for them.
    package static func sanitized(_ path: String) -> String {
        let bytes = Array(path.utf8)
        let slash = UInt8(ascii: "/")
        let leading = bytes.prefix { $0 == slash }.count
        var result = [UInt8](repeating: slash, count: leading == 2 ? 2 : min(leading, 1))
        if leading == bytes.count { return String(decoding: result, as: UTF8.self) }
        for byte in bytes[leading...] {
            if byte == slash, result.last == slash { continue }
            result.append(byte)
        }
        if result.last == slash { result.removeLast() }
        return String(decoding: result, as: UTF8.self)
    }
}
