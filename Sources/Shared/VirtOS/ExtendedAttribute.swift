import CLinux
import Glibc
package import VirtCore

/// Extended attributes of a path itself, not of what a link points at.
package enum ExtendedAttribute {
    /// The value; nil if it is not set, or the file system has no attributes.
    package static func get(_ path: String, _ name: String) throws(VirtError) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: 4096)
        let count = unsafe clinux_get_attribute(path, name, &value, value.count)
        if count >= 0 { return Array(value[..<count]) }
        if [ENODATA, ENOTSUP].contains(Int32(-count)) { return nil }
        throw .system(Int32(-count), .none, "Unable to get XATTR \(name) on \(path)")
    }

    package static func set(_ path: String, _ name: String, _ value: [UInt8]) throws(VirtError) {
        let result = unsafe clinux_set_attribute(path, name, value, value.count)
        guard result >= 0 else { throw .system(-result, .none, "Unable to set XATTR \(name) on \(path)") }
    }

    /// Removes it; that it was not there is no error.
    package static func remove(_ path: String, _ name: String) throws(VirtError) {
        let result = unsafe clinux_remove_attribute(path, name)
        guard result >= 0 || result == -ENODATA else {
            throw .system(-result, .none, "Unable to remove XATTR \(name) on \(path)")
        }
    }
}
