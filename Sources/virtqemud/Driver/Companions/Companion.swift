import Glibc
import VirtCore
import VirtOS

/// A program beside a guest's QEMU that serves one of its devices. It outlives the daemon, and is found again by its pid
/// file, which it holds locked as long as it runs.
struct Companion: Sendable, Equatable {
    /// What the guest's log calls it.
    let title: String
    let pidFile: String
    /// Where it is reached, if that is a path.
    var socket: String?

    /// Starts the program in the background. Returns once it runs.
    func start(_ program: ChildProcess, on loop: EventLoop) async throws -> RunningChild {
        var child = program
        child.daemonize = true
        child.newSession = true
        child.workingDirectory = "/"
        child.pidFile = pidFile
        return try await BlockingPool.shared.run { [child] in try ChildProcess.spawn(child, on: loop) }
    }

    /// Ends the program with all its processes, if it runs, and removes its files.
    func stop(on loop: EventLoop) async {
        if let pid = await runningPID(), let process = try? RunningChild(adopting: pid, on: loop) {
            process.killGroup(SIGTERM)
            if (try? await process.waitExit(timeout: .seconds(5))) ?? nil == nil {
                process.killGroup(SIGKILL)
                _ = try? await process.waitExit(timeout: .seconds(5))
            }
        }
        let files = [pidFile, socket].compactMap(\.self)
        _ = try? await BlockingPool.shared.run {
            for path in files { _ = try? FileSystem.remove(path) }
        }
    }

    /// The program's process; nil when it has gone.
    func runningPID() async -> Int32? {
        let path = pidFile
        return (try? await BlockingPool.shared.run { PidFile.holder(path) }) ?? nil
    }
}
