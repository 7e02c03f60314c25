import Glibc
import Testing
import VirtCore

@testable import VirtOS

@Suite struct ChildProcessTests {
    /// A shell that prints into a pipe, started with `change` made to its description.
    func output(_ script: String, _ change: (inout ChildProcess) -> Void = { _ in }) async throws -> String {
        var child = ChildProcess("/bin/sh", ["-c", script])
        change(&child)
        let result = try await ChildProcess.run(child)
        #expect(text(result.stderr) == "")
        return text(result.stdout)
    }

    @Test func `a command's output, errors and exit status come back`() async throws {
        let result = try await ChildProcess.run(
            "/bin/sh", ["-c", "cat; echo bad >&2; exit 3"], input: Array("in".utf8))
        #expect(result.status == .exited(3))
        #expect(text(result.stdout) == "in")
        #expect(text(result.stderr) == "bad\n")
        let failure = ChildProcess.failure("sh -c x", result)
        #expect(failure.message == "internal error: Child process (sh -c x) unexpected exit status 3: bad\n")
    }

    @Test func `large input and output do not block each other`() async throws {
        let bytes = [UInt8](repeating: 7, count: 3_000_000)
        let result = try await ChildProcess.run("cat", input: bytes)
        #expect(result.status.isSuccess)
        #expect(result.stdout == bytes)
    }

    @Test func `a child that does not read its input still ends`() async throws {
        let result = try await ChildProcess.run("true", input: [UInt8](repeating: 1, count: 1_000_000))
        #expect(result.status.isSuccess)
    }

    @Test func `a command that takes too long is killed with its children`() async throws {
        let start = EventLoop.now()
        let error = await #expect(throws: VirtError.self) {
            try await ChildProcess.run("/bin/sh", ["-c", "sleep 600 & sleep 600"], timeout: .milliseconds(100))
        }
        #expect(error?.code == .operationTimeout)
        #expect(EventLoop.now() - start < .seconds(60))
    }

    @Test func `a command that prints too much is killed`() async throws {
        let error = await #expect(throws: VirtError.self) {
            try await ChildProcess.run("/bin/sh", ["-c", "while :; do echo 0123456789; done"], outputLimit: 100_000)
        }
        #expect(error?.message.contains("printed more than 100000 bytes") == true)
    }

    @Test func `cancelling the task kills the command`() async throws {
        let task = Task { try await ChildProcess.run("/bin/sleep", ["600"]) }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
    }

    @Test func `a missing program and a file that is none are errors with their errno`() throws {
        let missing = #expect(throws: VirtError.self) { try ChildProcess.spawn(ChildProcess("/no/such/program")) }
        #expect(missing?.message == "cannot execute binary /no/such/program: No such file or directory")
        #expect(missing?.int1 == ENOENT)
        let unknown = #expect(throws: VirtError.self) { try ChildProcess.spawn(ChildProcess("no-such-program")) }
        #expect(unknown?.message == "Cannot find 'no-such-program' in path: No such file or directory")
        let text = #expect(throws: VirtError.self) { try ChildProcess.spawn(ChildProcess("/etc/passwd")) }
        #expect(text?.int1 == EACCES)
    }

    @Test func `a wrong working directory names itself`() throws {
        var child = ChildProcess("/bin/true")
        child.workingDirectory = "/no/such/directory"
        let error = #expect(throws: VirtError.self) { try ChildProcess.spawn(child) }
        #expect(error?.message == "Unable to change to /no/such/directory: No such file or directory")
    }

    @Test func `an argument with a NUL is refused`() throws {
        #expect(throws: VirtError.self) { try ChildProcess.spawn(ChildProcess("/bin/echo", ["a\0b"])) }
    }

    @Test func `the child has its own environment, directory, umask and session`() async throws {
        let printed = try await output("echo $A-$HOME; pwd; umask; ps -o sid= -p $$ | tr -d ' '; echo $$") { child in
            child.environment = ["A=b", "PATH=/usr/bin:/bin"]
            child.workingDirectory = "/usr"
            child.umask = 0o027
            child.newSession = true
        }
        let lines = printed.split(separator: "\n")
        #expect(lines.prefix(3) == ["b-", "/usr", "0027"])
        #expect(lines.count == 5 && lines[3] == lines[4])
    }

    @Test func `limits, affinity and no-new-privileges reach the child`() async throws {
        let script = "ulimit -n; ulimit -c; grep -E '^(NoNewPrivs|Cpus_allowed_list)' /proc/self/status | cut -f2"
        let printed = try await output(script) { child in
            child.limits = [ResourceLimit(.openFiles, 77), ResourceLimit(.coreSize, 0)]
            child.affinity = [0]
            child.noNewPrivileges = true
        }
        #expect(printed == "77\n0\n1\n0\n")
    }

    @Test(.enabled(if: geteuid() == 0)) func `a user takes over without capabilities or the daemon's groups`()
        async throws
    {
        let script = "id -u; id -g; id -G; grep -E '^Cap(Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f2"
        let printed = try await output(script) { child in
            child.user = .init(uid: 65534, gid: 65533, groups: [65533, 12])
            child.keepCapabilities = 0
        }
        let none = "0000000000000000\n"
        #expect(printed == "65534\n65533\n65533 12\n" + none + none + none + none)
    }

    @Test(.enabled(if: geteuid() == 0)) func `kept capabilities survive the change of user`() async throws {
        let netAdmin: UInt64 = 1 << 12
        let printed = try await output("grep -E '^Cap(Eff|Bnd)' /proc/self/status | cut -f2") { child in
            child.user = .init(uid: 65534, gid: 65534)
            child.keepCapabilities = netAdmin
        }
        #expect(printed == "0000000000001000\n0000000000001000\n")
    }

    @Test func `signals are as in a fresh process`() async throws {
        let printed = try await output("grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status | cut -f2")
        #expect(printed.split(separator: "\n").prefix(2) == ["0000000000000000", "0000000000000000"])
    }
}
