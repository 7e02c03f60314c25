import Glibc
import Testing
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

@Suite struct TrunkTests {
    private let maxVcpus = RemoteConnectGetMaxVcpusArgs(type: nil)
    private let domain = RemoteNonnullDomain(name: "d", uuid: UUID.random(), id: 1)

    @Test func `clients of the proxy are clients of the daemon, over no more connections than the proxy has loops`()
        async throws
    {
        let swarm = try ProxiedSwarm()
        var clients: [RPCClient] = []
        for _ in 0..<10 { clients.append(try await swarm.client()) }
        #expect(swarm.qemu.core.counts.clients == 10)
        #expect(Set(swarm.qemu.core.clients.compactMap(\.socket?.rawValue)).count <= 2)
        clients[0].close()
        while swarm.qemu.core.counts.clients > 9 { await Task.yield() }
        #expect(try await clients[1].call(RemoteProgram.ConnectGetMaxVcpus.self, maxVcpus).maxVcpus == 16)
    }

    @Test(arguments: ProxiedSwarm.Road.allCases)
    func `descriptors arrive in both directions`(road: ProxiedSwarm.Road) async throws {
        let swarm = try ProxiedSwarm(road)
        let client = try await swarm.client()
        let (_, given) = try await client.callWithDescriptors(
            RemoteProgram.DomainOpenGraphicsFd.self, RemoteDomainOpenGraphicsFdArgs(dom: domain, idx: 0, flags: 0))
        #expect(try RawPeer.read(try #require(given.first)) == Array("given".utf8))
        let (near, far) = Swarm.split(try UnixSocket.pair())
        _ = try await client.call(
            RemoteProgram.DomainCreateWithFiles.self, RemoteDomainCreateWithFilesArgs(dom: domain, flags: 0),
            descriptors: [far])
        #expect(try RawPeer.read(near) == Array("taken".utf8))
    }

    @Test(arguments: ProxiedSwarm.Road.allCases)
    func `a client that does not read its stream holds up nobody`(road: ProxiedSwarm.Road) async throws {
        let swarm = try ProxiedSwarm(road)
        let idle = try swarm.rawClient()
        let others = [try await swarm.client(), try await swarm.client()]
        try RawPeer.write(
            idle,
            try XDRWriter.frame(
                MessageHeader(RemoteProgram.DomainOpenConsole.descriptor, type: .call, serial: 2),
                RemoteDomainOpenConsoleArgs(dom: domain, devName: nil, flags: 0)))
        for _ in 0..<200 {
            for client in others {
                let reply = try await client.call(RemoteProgram.ConnectGetCapabilities.self, XDRVoid())
                #expect(reply.capabilities.utf8.count == ProxiedSwarm.document.utf8.count)
            }
        }
        #expect(try RawPeer.read(idle).count > MessageHeader.size)
    }

    @Test func `a client that the daemon has no room for waits until one leaves`() async throws {
        let swarm = try ProxiedSwarm(limits: ServerLimits(maxClients: 1))
        let first = try await swarm.client()
        async let second = swarm.client()
        // The second is not refused meanwhile, nor does it hold up the first.
        for _ in 0..<20 {
            #expect(try await first.call(RemoteProgram.ConnectGetMaxVcpus.self, maxVcpus).maxVcpus == 16)
        }
        first.close()
        #expect(try await second.call(RemoteProgram.ConnectGetMaxVcpus.self, maxVcpus).maxVcpus == 16)
    }

    @Test func `a trunk is not for readers, nor for servers of other programs`() async throws {
        let call = MessageHeader(TrunkProgram.Start.descriptor, type: .call, serial: 1)
        let refusal = "Cannot find program \(TrunkProgram.number) version 1"
        let swarm = Swarm()
        let (near, far) = Swarm.split(try UnixSocket.pair())
        swarm.server.adopt(far, readOnly: true, authentication: .none)
        #expect(try RawPeer.call(near, call) == refusal)
        let log = RPCServer(name: "log", loops: swarm.loops, programs: [HandlerTable(LogProgram.description)])
        let (logNear, logFar) = Swarm.split(try UnixSocket.pair())
        log.adopt(logFar, readOnly: false, authentication: .none)
        #expect(try RawPeer.call(logNear, call) == refusal)
    }

    /// A trunk that the test itself speaks on.
    private func trunk(of swarm: Swarm) throws -> DescriptorBox {
        let socket = try swarm.rawSocket()
        try RawPeer.write(
            socket, XDRWriter.frame(MessageHeader(TrunkProgram.Start.descriptor, type: .call, serial: 1)))
        let reply = try RawPeer.read(socket)
        try #require(reply.count == MessageHeader.size && reply[27] == 0)
        return socket
    }

    private func record(_ procedure: ProcedureDescriptor, _ channel: UInt32, _ content: [UInt8] = []) -> [UInt8] {
        XDRWriter.frame(MessageHeader(procedure, type: .message, serial: channel), data: content)
    }

    @Test func `a read-only channel may not change anything, and one that was closed is gone`() async throws {
        let swarm = Swarm { table in
            table.on(RemoteProgram.DomainDestroy.self) { _, _ in XDRVoid() }
        }
        let socket = try trunk(of: swarm)
        let header = MessageHeader(RemoteProgram.DomainDestroy.descriptor, type: .call, serial: 3)
        let call = try XDRWriter.frame(header, RemoteDomainDestroyArgs(dom: domain))
        try RawPeer.write(
            socket,
            record(TrunkProgram.Open.descriptor, 5, [0, 0, 0, 1])
                + record(TrunkProgram.Message.descriptor, 5, call))
        let reply = try RawPeer.read(socket)
        try #require(reply.count > 2 * MessageHeader.size)
        // The channel's number outside, the client's serial inside.
        #expect(reply[23] == 5 && reply[MessageHeader.size + 23] == 3)
        let error = try WireError(decoding: reply[(2 * MessageHeader.size)...]).error
        #expect(error.code == .operationDenied)
        try RawPeer.write(
            socket,
            record(TrunkProgram.Close.descriptor, 5) + record(TrunkProgram.Message.descriptor, 5, call)
                + record(TrunkProgram.Open.descriptor, 6, [0, 0, 0, 0])
                + record(TrunkProgram.Message.descriptor, 6, call))
        let second = try RawPeer.read(socket)
        #expect(second.count == 2 * MessageHeader.size && second[23] == 6)
    }

    @Test(
        arguments: [
            (TrunkProgram.Message.descriptor, 5, [1, 2, 3]), (TrunkProgram.Message.descriptor, 5, [0, 0, 0, 40]),
            (TrunkProgram.Open.descriptor, 5, [0, 0, 0, 0]), (TrunkProgram.Open.descriptor, 6, [0]),
            (TrunkProgram.Start.descriptor, 5, []),
        ] as [(ProcedureDescriptor, UInt32, [UInt8])])
    func `what makes no sense on a trunk ends it and its clients`(
        procedure: ProcedureDescriptor, channel: UInt32, content: [UInt8]
    ) async throws {
        let swarm = Swarm()
        let socket = try trunk(of: swarm)
        try RawPeer.write(socket, record(TrunkProgram.Open.descriptor, 5, [0, 0, 0, 0]))
        while swarm.server.core.counts.clients < 1 { await Task.yield() }
        try RawPeer.write(socket, record(procedure, channel, content))
        #expect(try RawPeer.read(socket).isEmpty)
        while swarm.server.core.counts.clients > 0 { await Task.yield() }
        _ = try await swarm.client().call(RemoteProgram.ConnectGetLibVersion.self, XDRVoid())
    }
}
