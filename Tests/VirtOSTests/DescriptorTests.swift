import Glibc
import Testing
import VirtCore

@testable import VirtOS

@Suite struct DescriptorTests {
    func isOpen(_ raw: Int32) -> Bool { fcntl(raw, F_GETFD) >= 0 }

    @Test func `a descriptor is closed with its owner, unless it was taken`() async {
        await #expect(processExitsWith: .success) {
            var raw: Int32 = -1
            do {
                let file = try OwnedDescriptor(opening: "/dev/null", O_RDONLY)
                raw = file.rawValue
                #expect(fcntl(raw, F_GETFD) == FD_CLOEXEC)
                let copy = try file.duplicate()
                #expect(fcntl(copy.rawValue, F_GETFD) == FD_CLOEXEC)
                #expect(copy.rawValue != raw)
            }
            #expect(fcntl(raw, F_GETFD) < 0)
            let taken = try OwnedDescriptor(opening: "/dev/null", O_RDONLY).take()
            #expect(fcntl(taken, F_GETFD) >= 0)
        }
    }

    @Test func `nothing leaks: loops, sockets, children, failures, pid files, commands`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            func useEverything() async throws {
                let loop = try EventLoop(name: "leak")
                _ = try UnixSocket.pair()
                let listener = try UnixSocket.listen(path: directory.file("s"), mode: 0o600)
                let client = DescriptorBox(try UnixSocket.connect(path: directory.file("s")))
                _ = try UnixSocket.accept(listener.rawValue)
                _ = try await loop.run { try loop.watch(client.rawValue, .read) { _ in } }
                _ = try await ChildProcess.run("cat", input: [1, 2, 3], on: loop)
                #expect(throws: VirtError.self) { try ChildProcess.spawn(ChildProcess("/no/such"), on: loop) }
                var child = ChildProcess("/bin/true")
                for (daemonize, handshake) in [(false, false), (true, false), (false, true), (true, true)] {
                    (child.daemonize, child.handshake) = (daemonize, handshake)
                    let running = try ChildProcess.spawn(child, on: loop)
                    if handshake {
                        try await running.waitForHandshake()
                        try await running.release()
                    }
                    _ = await running.waitExit()
                }
                try PidFile(acquiring: directory.file("pid")).remove()
                #expect(throws: VirtError.self) { try FileSystem.atomicWrite("/no/such/file", []) }
                try FileSystem.atomicWrite(directory.file("f"), [1])
                loop.shutdown()
            }
            try await useEverything()
            let before = try openDescriptors()
            for _ in 0..<5 { try await useEverything() }
            // A pool's thread may hold the last command's pipes for a moment after its result is known.
            let deadline = MonotonicTime.now() + .seconds(10)
            while try openDescriptors() > before, MonotonicTime.now() < deadline { await Task.yield() }
            #expect(try openDescriptors() <= before)
        }
    }
}
