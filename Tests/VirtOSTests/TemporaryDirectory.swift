import Glibc
import VirtCore

@testable import VirtOS

/// A directory that goes away with its test.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/virtos-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw VirtError.system(errno, .none, "mkdtemp") }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress.unsafelyUnwrapped) }
    }

    deinit { try? FileSystem.removeTree(path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// The open descriptors of this process.
func openDescriptors() throws -> Int { try FileSystem.names(in: "/proc/self/fd").count }
