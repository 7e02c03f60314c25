import Glibc
import VirtCore
import VirtOS

/// Runs the programs that a backend needs.
protocol ToolRunner: Sendable {
    /// Runs a program to its end; anything but success is libvirt's error for a failed child.
    ///
    /// - Parameter umask: the permissions that files which it makes do not have; nil: as the daemon's.
    func run(_ program: String, _ arguments: [String], umask: UInt32?) async throws -> [UInt8]
}

extension ToolRunner {
    @discardableResult
    func run(_ program: String, _ arguments: [String]) async throws -> [UInt8] {
        try await run(program, arguments, umask: nil)
    }
}

/// The real programs, found in PATH.
struct SystemTools: ToolRunner {
    /// Copies of large images may take their time.
    var timeout = Duration.seconds(24 * 3600)

    func run(_ program: String, _ arguments: [String], umask: UInt32?) async throws -> [UInt8] {
        guard let path = ChildProcess.find(program) else {
            throw .system(ENOENT, .none, "Cannot find '\(program)' in path") as VirtError
        }
        var child = ChildProcess(path, arguments)
        child.umask = umask
        let output = try await ChildProcess.run(child, timeout: timeout)
        guard output.status.isSuccess else { throw ChildProcess.failure(child.commandLine, output) }
        return output.stdout
    }
}
