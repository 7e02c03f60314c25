import Glibc
import VirtOS

/// A directory of a test's own, gone after it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/virtdaemon-test.XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
    }

    deinit { try? FileSystem.removeTree(path) }

    func write(_ name: String, _ text: String, mode: UInt32 = 0o600) throws {
        try FileSystem.makeDirectories(FileSystem.directory(of: "\(path)/\(name)"))
        try FileSystem.atomicWrite("\(path)/\(name)", Array(text.utf8), mode: mode)
    }

    func read(_ name: String) throws -> String {
        String(decoding: try FileSystem.read("\(path)/\(name)"), as: UTF8.self)
    }
}
