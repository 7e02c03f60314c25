import CLinux
import Glibc
import Testing
import VirtCore

@testable import VirtOS

@Suite struct UnixSocketTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    func receive(_ socket: DescriptorBox, _ descriptors: inout [DescriptorBox]) -> (UnixSocket.ReceiveResult, [UInt8]) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let result = buffer.withUnsafeMutableBytes {
            UnixSocket.receive(socket.rawValue, into: $0, descriptors: &descriptors)
        }
        if case .bytes(let count) = result { return (result, Array(buffer[..<count])) }
        return (result, [])
    }

    func send(_ socket: DescriptorBox, _ text: String, _ descriptors: [Int32] = []) -> UnixSocket.SendResult {
        Array(text.utf8).withUnsafeBytes { UnixSocket.send(socket.rawValue, $0, descriptors: descriptors) }
    }

    func accept(_ listener: Int32) throws -> DescriptorBox? {
        guard let client = try UnixSocket.accept(listener) else { return nil }
        return DescriptorBox(client)
    }

    func isCloseOnExec(_ descriptor: Int32) -> Bool { fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0 }

    @Test func `bytes, an empty socket and the end are told apart`() throws {
        let ends = try UnixSocket.pair()
        var descriptors: [DescriptorBox] = []
        #expect(receive(ends.first, &descriptors).0 == .wouldBlock)
        #expect(send(ends.second, "hello") == .bytes(5))
        #expect(receive(ends.first, &descriptors) == (.bytes(5), Array("hello".utf8)))
        shutdown(ends.second.rawValue, Int32(SHUT_WR))
        #expect(receive(ends.first, &descriptors).0 == .endOfFile)
        #expect(descriptors.isEmpty)
    }

    @Test func `descriptors travel in both directions with the bytes they belong to`() throws {
        let ends = try UnixSocket.pair()
        let pipe = try OwnedDescriptor.pipe()
        for (from, to) in [(ends.first, ends.second), (ends.second, ends.first)] {
            #expect(send(from, "plain") == .bytes(5))
            #expect(send(from, "with", [pipe.writing.rawValue]) == .bytes(4))
            #expect(send(from, "after") == .bytes(5))
            var received: [DescriptorBox] = []
            // The kernel ends a read with the bytes that brought descriptors.
            #expect(receive(to, &received).1 == Array("plainwith".utf8))
            #expect(received.count == 1)
            #expect(receive(to, &received).1 == Array("after".utf8))
            let copy = try #require(received.first)
            #expect(isCloseOnExec(copy.rawValue))
            #expect(write(copy.rawValue, "x", 1) == 1)
            var byte: UInt8 = 0
            #expect(read(pipe.reading.rawValue, &byte, 1) == 1)
        }
    }

    @Test func `253 descriptors fit in one message, more are refused by the sender`() throws {
        let ends = try UnixSocket.pair()
        let some = ends.first.rawValue
        #expect(send(ends.first, "x", Array(repeating: some, count: 254)) == .error(EINVAL))
        #expect(send(ends.first, "x", Array(repeating: some, count: 253)) == .bytes(1))
        var received: [DescriptorBox] = []
        #expect(receive(ends.second, &received).0 == .bytes(1))
        #expect(received.count == 253)
        #expect(received.allSatisfy { isCloseOnExec($0.rawValue) })
    }

    @Test func `descriptors that the process has no room for are reported, and none leaks`() async {
        await #expect(processExitsWith: .success) {
            let ends = try UnixSocket.pair()
            let sent = Array(repeating: ends.first.rawValue, count: 100)
            #expect([1].withUnsafeBytes { UnixSocket.send(ends.first.rawValue, $0, descriptors: sent) } == .bytes(8))
            let before = try openDescriptors()
            #expect(clinux_set_limit(0, ResourceLimit.Resource.openFiles.rawValue, UInt64(before + 10), 4096) == 0)
            var received: [DescriptorBox] = []
            var buffer = [UInt8](repeating: 0, count: 64)
            let result = buffer.withUnsafeMutableBytes {
                UnixSocket.receive(ends.second.rawValue, into: $0, descriptors: &received)
            }
            #expect(result == .controlTruncated)
            #expect(received.isEmpty)
            #expect(try openDescriptors() == before)
        }
    }

    @Test func `a full socket would block, and a closed one is an error without a signal`() throws {
        let ends = try UnixSocket.pair()
        let chunk = [UInt8](repeating: 1, count: 65536)
        var result = UnixSocket.SendResult.bytes(0)
        while case .bytes = result { result = chunk.withUnsafeBytes { UnixSocket.send(ends.first.rawValue, $0) } }
        #expect(result == .wouldBlock)
        shutdown(ends.second.rawValue, Int32(SHUT_RDWR))
        #expect(send(ends.first, "x") == .error(EPIPE))
    }

    @Test func `a listener has the mode it was asked for, and tells who connects`() throws {
        let path = directory.file("s")
        let listener = try UnixSocket.listen(path: path, mode: 0o770, group: getgid())
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o770)
        #expect(try accept(listener.rawValue) == nil)
        let client = try UnixSocket.connect(path: path)
        let accepted = try #require(try accept(listener.rawValue))
        #expect(isCloseOnExec(accepted.rawValue) && isCloseOnExec(client.rawValue) && isCloseOnExec(listener.rawValue))
        #expect(fcntl(accepted.rawValue, F_GETFL) & O_NONBLOCK != 0)
        let peer = try UnixSocket.peerCredentials(accepted.rawValue)
        #expect(peer.pid == getpid() && peer.uid == getuid() && peer.gid == getgid())
    }

    @Test func `a stale socket file is replaced, a served one and a plain file are not`() throws {
        let path = directory.file("s")
        do { _ = try UnixSocket.listen(path: path, mode: 0o600) }
        #expect(FileSystem.exists(path))
        let listener = try UnixSocket.listen(path: path, mode: 0o600)
        let used = #expect(throws: VirtError.self) { _ = try UnixSocket.listen(path: path, mode: 0o600) }
        #expect(used?.message == "Failed to bind socket to '\(path)': Address already in use")
        _ = try UnixSocket.connect(path: path)
        _ = consume listener
        let file = directory.file("file")
        try FileSystem.atomicWrite(file, [1])
        let plain = #expect(throws: VirtError.self) { _ = try UnixSocket.listen(path: file, mode: 0o600) }
        #expect(plain?.int1 == EADDRINUSE)
        #expect(try FileSystem.read(file) == [1])
    }

    @Test func `paths that no address can hold are errors`() throws {
        let long = "/tmp/" + String(repeating: "x", count: 103)
        for path in [long, "", "/tmp/a\0b"] {
            let error = #expect(throws: VirtError.self) { _ = try UnixSocket.connect(path: path) }
            #expect(error?.int1 == (path == long ? ENAMETOOLONG : EINVAL))
            #expect(throws: VirtError.self) { _ = try UnixSocket.listen(path: path, mode: 0o600) }
        }
        let longest = directory.path + "/" + String(repeating: "x", count: 106 - directory.path.utf8.count)
        #expect(longest.utf8.count == 107)
        _ = try UnixSocket.listen(path: longest, mode: 0o600)
    }

    @Test func `a full queue is waited for`() async throws {
        let path = directory.file("s")
        let listener = DescriptorBox(try UnixSocket.listen(path: path, mode: 0o600, backlog: 0))
        let loop = try EventLoop(name: "test")
        _ = try await UnixSocket.connect(path: path, timeout: .seconds(10), on: loop)
        let late = await #expect(throws: VirtError.self) {
            _ = try await UnixSocket.connect(path: path, timeout: .milliseconds(5), on: loop)
        }
        #expect(late?.int1 == EAGAIN)
        let waiting = Task { try await UnixSocket.connect(path: path, timeout: .seconds(60), on: loop) }
        #expect(try accept(listener.rawValue) != nil)
        _ = try await waiting.value
        loop.shutdown()
    }

    @Test func `nobody there is libvirt's text`() throws {
        let error = #expect(throws: VirtError.self) { _ = try UnixSocket.connect(path: "/no/such/socket") }
        #expect(error?.message == "Failed to connect socket to '/no/such/socket': No such file or directory")
        #expect(error?.domain == .rpc && error?.code == .systemError)
    }

    @Test func `without descriptors left a client stays in the queue until there are some`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let path = directory.file("s")
            let listener = try UnixSocket.listen(path: path, mode: 0o600)
            var clients = [DescriptorBox(try UnixSocket.connect(path: path))]
            #expect(clinux_set_limit(0, ResourceLimit.Resource.openFiles.rawValue, 64, 4096) == 0)
            var fillers: [DescriptorBox] = []
            var refusal: VirtError?
            while refusal == nil, clients.count < 20 {
                while let filler = try? listener.duplicate() { fillers.append(DescriptorBox(filler)) }
                do throws(VirtError) {
                    // Somebody else in the process has closed a descriptor meanwhile: once more, with another client.
                    _ = try UnixSocket.accept(listener.rawValue)
                    clients.append(DescriptorBox(try UnixSocket.connect(path: path)))
                } catch {
                    refusal = error
                }
            }
            #expect(refusal?.int1 == EMFILE)
            #expect(clinux_set_limit(0, ResourceLimit.Resource.openFiles.rawValue, 1024, 4096) == 0)
            let isAccepted = try UnixSocket.accept(listener.rawValue) != nil
            #expect(isAccepted)
        }
    }
}
