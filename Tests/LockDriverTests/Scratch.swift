import CLinux
import Glibc
import Testing
import VirtOS

/// A directory that is gone with the test.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/virtswarm-lock-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileSystem.removeTree(path) }

    func open(_ name: String) throws -> DescriptorBox {
        DescriptorBox(try OwnedDescriptor(opening: "\(path)/\(name)", O_RDWR | O_CREAT))
    }

    /// Whether another open of the file gets its lock.
    func isFree(_ name: String, _ kind: clinux_lock = CLINUX_LOCK_EXCLUSIVE) -> Bool {
        guard let file = try? open(name) else { return false }
        return clinux_file_lock(file.rawValue, kind, 0, 1, false) == 0
    }
}
