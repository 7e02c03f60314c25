import Glibc
import Testing
import VirtCore

@testable import VirtOS

@Suite struct PidFileTests {
    let directory: TemporaryDirectory
    var path: String { directory.file("daemon.pid") }

    init() throws { directory = try TemporaryDirectory() }

    /// A process that holds the lock, by another implementation: Python's lockf is the same F_SETLK that libvirt uses.
    func holder() throws -> RunningChild {
        let script = """
            import fcntl, os, signal, sys
            f = open(sys.argv[1], 'w')
            fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            f.write(str(os.getpid()))
            f.flush()
            os.write(1, b'x')
            signal.pause()
            """
        let output = try OwnedDescriptor.pipe()
        var child = ChildProcess("python3", ["-c", script, path])
        child.descriptors = [1: output.writing]
        let running = try ChildProcess.spawn(child)
        var byte: UInt8 = 0
        #expect(read(output.reading.rawValue, &byte, 1) == 1)
        return running
    }

    @Test func `the file holds the id and is locked against other processes`() async throws {
        let file = try PidFile(acquiring: path)
        #expect(try text(FileSystem.read(file.path + "")) == "\(getpid())")
        _ = consume file
    }

    @Test func `a file that another process holds cannot be had, and is left alone`() async throws {
        let other = try holder()
        let error = #expect(throws: VirtError.self) { _ = try PidFile(acquiring: path) }
        #expect(error?.message == "Failed to acquire pid file '\(path)': Resource temporarily unavailable")
        #expect(PidFile.read(path) == other.pid)
        #expect(PidFile.holder(path) == other.pid)
        other.kill(SIGKILL)
        _ = await other.waitExit()
        #expect(PidFile.holder(path) == nil)
        let file = try PidFile(acquiring: path)
        #expect(PidFile.read(path) == getpid())
        file.remove()
        #expect(!FileSystem.exists(path))
    }

    @Test func `our lock keeps other implementations out`() async throws {
        let file = try PidFile(acquiring: path)
        let script = "import fcntl,sys; fcntl.lockf(open(sys.argv[1], 'a'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        let result = try await ChildProcess.run("python3", ["-c", script, path])
        #expect(!result.status.isSuccess)
        #expect(text(result.stderr).contains("BlockingIOError"))
        file.remove()
    }

    @Test(
        arguments: [
            ("12", 12), ("12\n", 12), ("12 x", 12), ("", nil), ("x", nil), ("-3", nil), ("0", nil),
            ("99999999999", nil),
        ] as [(String, Int32?)])
    func `ids are read as libvirt writes them`(content: String, pid: Int32?) throws {
        try FileSystem.atomicWrite(path, Array(content.utf8))
        #expect(PidFile.read(path) == pid)
    }

    @Test func `no directory is an error, no file is no id`() {
        #expect(PidFile.read("/no/such/file") == nil)
        let error = #expect(throws: VirtError.self) { _ = try PidFile(acquiring: "/no/such/directory/x.pid") }
        #expect(error?.int1 == ENOENT)
    }
}
