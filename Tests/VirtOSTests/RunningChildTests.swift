import Glibc
import Testing
import VirtCore

@testable import VirtOS

@Suite struct RunningChildTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func `descriptors are mapped without overwriting each other, and nothing else is inherited`() async throws {
        let first = try OwnedDescriptor.pipe()
        let second = try OwnedDescriptor.pipe()
        let output = try OwnedDescriptor.pipe()
        #expect(write(first.writing.rawValue, "one\n", 4) == 4)
        #expect(write(second.writing.rawValue, "two\n", 4) == 4)
        let (one, two) = (first.reading.rawValue, second.reading.rawValue)
        let script = "read a </dev/fd/\(two); read b </dev/fd/\(one); echo $a $b; ls /proc/self/fd"
        var child = ChildProcess("/bin/sh", ["-c", script])
        // Crossed over: each takes the number that the other has in this process.
        child.descriptors = [two: first.reading, one: second.reading, 1: output.writing]
        let running = try ChildProcess.spawn(child)
        #expect(await running.waitExit() == .exited(0))
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(output.reading.rawValue, &buffer, buffer.count)
        let lines = text(Array(buffer[..<max(0, count)])).split(separator: "\n")
        #expect(lines.first == "one two")
        // ls itself opens the directory.
        let expected = Set([0, 1, 2, one, two].map { "\($0)" })
        #expect(Set(lines.dropFirst().map(String.init)).subtracting(expected).count <= 1)
        #expect(lines.dropFirst().count <= 6)
    }

    @Test func `exit and signals are told apart`() async throws {
        let exiting = try ChildProcess.spawn(ChildProcess("/bin/sh", ["-c", "exit 5"]))
        #expect(await exiting.waitExit() == .exited(5))
        #expect(!exiting.kill(SIGTERM))
        let sleeping = try ChildProcess.spawn(ChildProcess("/bin/sleep", ["600"]))
        #expect(try await sleeping.waitExit(timeout: .milliseconds(5)) == nil)
        #expect(sleeping.kill(SIGKILL))
        #expect(await sleeping.waitExit() == .signalled(SIGKILL))
        #expect(sleeping.exitStatus?.description == "fatal signal 9")
    }

    @Test func `waiting for a child can be cancelled`() async throws {
        let child = try ChildProcess.spawn(ChildProcess("/bin/sleep", ["600"]))
        let task = Task { try await child.waitExit(timeout: .seconds(600)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        child.kill(SIGKILL)
        _ = await child.waitExit()
    }

    @Test func `a handshake holds the child until it is released`() async throws {
        let marker = directory.file("marker")
        var child = ChildProcess("/bin/sh", ["-c", "echo > \(marker)"])
        child.handshake = true
        child.limits = [ResourceLimit(.openFiles, 99)]
        let running = try ChildProcess.spawn(child)
        try await running.waitForHandshake()
        #expect(try text(FileSystem.read("/proc/\(running.pid)/limits")).contains("99"))
        #expect(!FileSystem.exists(marker))
        try await running.release()
        #expect(await running.waitExit() == .exited(0))
        #expect(FileSystem.exists(marker))
    }

    @Test func `failures before and after the handshake are reported where they are waited for`() async throws {
        var child = ChildProcess("/no/such/program")
        child.handshake = true
        let late = try ChildProcess.spawn(child)
        try await late.waitForHandshake()
        await #expect(throws: VirtError.self) { try await late.release() }
        #expect(await late.waitExit() == .exited(127))
        child.workingDirectory = "/no/such/directory"
        let early = try ChildProcess.spawn(child)
        let error = await #expect(throws: VirtError.self) { try await early.waitForHandshake() }
        #expect(error?.int1 == ENOENT)
    }

    @Test func `a child at its handshake ends when nobody can release it any more`() async throws {
        var child = ChildProcess("/bin/true")
        child.handshake = true
        var held: RunningChild? = try ChildProcess.spawn(child)
        try await held?.waitForHandshake()
        let watcher = try RunningChild(adopting: try #require(held).pid, on: try #require(held).loop)
        held = nil
        _ = await watcher.waitExit()
    }

    @Test func `a daemon survives, belongs to init, and its pid file is locked by it`() async throws {
        let pidFile = directory.file("daemon.pid")
        var child = ChildProcess("/bin/sleep", ["600"])
        child.daemonize = true
        child.newSession = true
        child.pidFile = pidFile
        let running = try ChildProcess.spawn(child)
        defer { running.kill(SIGKILL) }
        #expect(PidFile.read(pidFile) == running.pid)
        #expect(PidFile.holder(pidFile) == running.pid)
        let status = try text(FileSystem.read("/proc/\(running.pid)/status"))
        #expect(!status.contains("PPid:\t\(getpid())\n"))
        let error = #expect(throws: VirtError.self) { _ = try PidFile(acquiring: pidFile) }
        #expect(error?.message == "Failed to acquire pid file '\(pidFile)': Resource temporarily unavailable")
        #expect(running.kill(SIGKILL))
        #expect(await running.waitExit() == .unknown)
        _ = try PidFile(acquiring: pidFile)
    }

    @Test func `a second daemon with the same pid file does not start`() async throws {
        var child = ChildProcess("/bin/sleep", ["600"])
        child.pidFile = directory.file("one.pid")
        let first = try ChildProcess.spawn(child)
        defer { first.kill(SIGKILL) }
        for daemonize in [false, true] {
            child.daemonize = daemonize
            let error = #expect(throws: VirtError.self) { try ChildProcess.spawn(child) }
            #expect(error?.int1 == EAGAIN)
        }
        #expect(PidFile.read(directory.file("one.pid")) == first.pid)
    }

    @Test func `a running process can be adopted, and an absent one cannot`() async throws {
        var child = ChildProcess("/bin/sleep", ["600"])
        child.daemonize = true
        let daemon = try ChildProcess.spawn(child)
        let adopted = try RunningChild(adopting: daemon.pid, on: daemon.loop)
        #expect(adopted.kill(SIGTERM))
        #expect(await adopted.waitExit() == .unknown)
        #expect(throws: VirtError.self) { try RunningChild(adopting: 0x3fff_fff0, on: daemon.loop) }
    }
}
