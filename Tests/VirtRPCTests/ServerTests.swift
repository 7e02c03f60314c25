import Glibc
import Testing
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

@Suite struct ServerTests {
    @Test func `a call is answered by its handler`() async throws {
        let swarm = Swarm { table in
            table.on(RemoteProgram.ConnectGetMaxVcpus.self) { arguments, _ in
                RemoteConnectGetMaxVcpusRet(maxVcpus: arguments.type == "kvm" ? 288 : 16)
            }
        }
        let client = try await swarm.client()
        let reply = try await client.call(
            RemoteProgram.ConnectGetMaxVcpus.self, RemoteConnectGetMaxVcpusArgs(type: "kvm"))
        #expect(reply.maxVcpus == 288)
    }

    @Test func `an error of a handler arrives with code, domain and text`() async throws {
        let swarm = Swarm { table in
            table.onAsync(RemoteProgram.ConnectGetMaxVcpus.self) { _, _ in
                throw VirtError(.invalidArg, .qemu, "no such type")
            }
        }
        let client = try await swarm.client()
        let error = await #expect(throws: VirtError.self) {
            try await client.call(RemoteProgram.ConnectGetMaxVcpus.self, RemoteConnectGetMaxVcpusArgs(type: nil))
        }
        #expect(error?.code == .invalidArg)
        #expect(error?.domain == .qemu)
        #expect(error?.message == "invalid argument: no such type")
    }

    @Test func `a procedure without a handler is not supported`() async throws {
        let swarm = Swarm()
        let client = try await swarm.client()
        let error = await #expect(throws: VirtError.self) {
            try await client.call(RemoteProgram.ConnectGetCapabilities.self, XDRVoid())
        }
        #expect(error?.code == .noSupport)
    }

    @Test func `unknown programs, versions and procedures get the texts that clients match`() async throws {
        let swarm = Swarm()
        let socket = try swarm.rawSocket()
        func ask(_ program: UInt32, _ version: UInt32, _ procedure: Int32) throws -> String {
            try RawPeer.call(
                socket,
                MessageHeader(program: program, version: version, procedure: procedure, type: .call, serial: 3))
        }
        #expect(try ask(RemoteProgram.number, 1, 9999) == "unknown procedure: 9999")
        #expect(try ask(RemoteProgram.number, 1, -1) == "unknown procedure: -1")
        #expect(try ask(1234, 1, 1) == "Cannot find program 1234 version 1")
        #expect(try ask(RemoteProgram.number, 2, 1) == "Cannot find program \(RemoteProgram.number) version 2")
    }

    @Test func `arguments that do not decode are an error and the connection lives on`() async throws {
        let swarm = Swarm()
        let socket = try swarm.rawSocket()
        let header = MessageHeader(
            program: RemoteProgram.number, version: 1, procedure: 1, type: .call, serial: 3)
        #expect(try RawPeer.call(socket, header) == "Unable to decode message payload")
        #expect(
            try RawPeer.call(socket, header, payload: [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff])
                == "Unable to decode message payload")
    }

    @Test func `a read-only connection may not change anything`() async throws {
        let swarm = Swarm { table in
            table.on(RemoteProgram.DomainDestroy.self) { _, _ in XDRVoid() }
        }
        let client = try await swarm.client(readOnly: true)
        let domain = RemoteNonnullDomain(name: "a", uuid: UUID.random(), id: -1)
        let error = await #expect(throws: VirtError.self) {
            try await client.call(RemoteProgram.DomainDestroy.self, RemoteDomainDestroyArgs(dom: domain))
        }
        #expect(error?.code == .operationDenied)
    }

    @Test func `nothing but authentication works before authentication`() async throws {
        let swarm = Swarm()
        let client = try await swarm.client(authentication: .sasl)
        let error = await #expect(throws: VirtError.self) {
            try await client.call(RemoteProgram.ConnectGetUri.self, XDRVoid())
        }
        #expect(error?.message == "authentication required")
        let reply = try await client.call(RemoteProgram.AuthList.self, XDRVoid())
        #expect(reply.types == [.sasl])
    }

    @Test func `200 slow calls at once run a few at a time and hold up neither pings nor other clients`() async throws {
        let gate = Gate()
        let swarm = Swarm(limits: ServerLimits(maxClientRequests: 5)) { table in
            table.onAsync(RemoteProgram.ConnectGetMaxVcpus.self) { _, _ in
                await gate.pass()
                return RemoteConnectGetMaxVcpusRet(maxVcpus: 1)
            }
        }
        let busy = try await swarm.client()
        let other = try await swarm.client()
        try await withThrowingTaskGroup(of: Int32.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await busy.call(
                        RemoteProgram.ConnectGetMaxVcpus.self, RemoteConnectGetMaxVcpusArgs(type: nil)
                    ).maxVcpus
                }
            }
            await gate.waitForArrivals(5)
            // Inline calls of the same client and calls of another one are answered although 200 are waiting.
            _ = try await busy.call(RemoteProgram.ConnectGetLibVersion.self, XDRVoid())
            _ = try await other.call(RemoteProgram.ConnectGetLibVersion.self, XDRVoid())
            #expect(await gate.arrivals == 5)
            await gate.open()
            var answered = 0
            for try await value in group { answered += Int(value) }
            #expect(answered == 200)
        }
    }

    @Test func `a ping is answered before anything else is asked`() throws {
        let swarm = Swarm()
        let socket = try swarm.rawSocket()
        let ping = XDRWriter.frame(
            MessageHeader(program: KeepaliveProgram.number, version: 1, procedure: 1, type: .message, serial: 0))
        try RawPeer.write(socket, ping)
        let pong = try RawPeer.read(socket)
        #expect(pong.count == 28)
        #expect(pong[15] == 2)
    }

    @Test func `a client that asks much before it reads gets every answer`() async throws {
        let text = String(repeating: "x", count: 100_000)
        let swarm = Swarm { table in
            table.on(RemoteProgram.ConnectGetCapabilities.self) { _, _ in
                RemoteConnectGetCapabilitiesRet(capabilities: text)
            }
        }
        let client = try await swarm.client()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<300 {
                group.addTask {
                    try await client.call(RemoteProgram.ConnectGetCapabilities.self, XDRVoid()).capabilities.utf8.count
                }
            }
            var total = 0
            for try await count in group { total += count }
            #expect(total == 300 * 100_000)
        }
    }

    @Test func `descriptors go both ways`() async throws {
        let swarm = Swarm { table in
            table.onDescriptors(RemoteProgram.DomainOpenGraphicsFd.self) { _, caller in
                (XDRVoid(), caller.descriptors + caller.descriptors)
            }
        }
        let client = try await swarm.client()
        let sent = DescriptorBox(OwnedDescriptor(open("/etc/hostname", O_RDONLY)))
        let arguments = RemoteDomainOpenGraphicsFdArgs(
            dom: RemoteNonnullDomain(name: "a", uuid: UUID.random(), id: 1), idx: 0, flags: 0)
        let (_, received) = try await client.callWithDescriptors(
            RemoteProgram.DomainOpenGraphicsFd.self, arguments, descriptors: [sent])
        #expect(received.count == 2)
        var (original, copy) = (stat(), stat())
        fstat(sent.rawValue, &original)
        fstat(received[1].rawValue, &copy)
        #expect(original.st_ino == copy.st_ino)
    }

    @Test func `clients beyond the limit wait and get in when one leaves`() async throws {
        let path = "/tmp/virtswarm-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
        defer { unlink(path) }
        let swarm = Swarm(limits: ServerLimits(maxClients: 1))
        swarm.server.listen(try UnixSocket.listen(path: path, mode: 0o700))
        swarm.server.startAccepting()
        let first = try await RPCClient.connect(path: path, loop: swarm.loops.next())
        _ = try await first.call(RemoteProgram.ConnectGetLibVersion.self, XDRVoid())
        let second = try await RPCClient.connect(path: path, loop: swarm.loops.next())
        async let version = second.call(RemoteProgram.ConnectGetLibVersion.self, XDRVoid())
        first.close()
        #expect(try await version.libVer == LibvirtVersion.number)
    }
}

/// A peer without any of our code between it and the socket.
enum RawPeer {
    static func write(_ socket: DescriptorBox, _ bytes: [UInt8]) throws {
        // A peer that does not answer fails the test instead of hanging it.
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket.rawValue, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let flags = fcntl(socket.rawValue, F_GETFL)
        _ = fcntl(socket.rawValue, F_SETFL, flags & ~O_NONBLOCK)
        try #require(bytes.withUnsafeBytes { Glibc.write(socket.rawValue, $0.baseAddress, $0.count) } == bytes.count)
    }

    static func read(_ socket: DescriptorBox, atMost most: Int = 65536) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: most)
        let count = bytes.withUnsafeMutableBytes { Glibc.read(socket.rawValue, $0.baseAddress, $0.count) }
        try #require(count >= 0)
        return Array(bytes.prefix(count))
    }

    /// Makes a call and returns the text of the error that answers it.
    static func call(_ socket: DescriptorBox, _ header: MessageHeader, payload: [UInt8] = []) throws -> String {
        try write(socket, XDRWriter.frame(header, data: payload))
        let reply = try read(socket)
        try #require(reply.count > MessageHeader.size)
        return try WireError(decoding: reply[MessageHeader.size...]).error.message
    }
}
