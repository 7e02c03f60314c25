import Glibc
import Testing
import VirtCore
import VirtOS
import VirtWire

@testable import VirtRPC

/// A server hands its clients over to another, as to the next program of a process.
@Suite struct ReplacementTests {
    private static let call = RemoteConnectGetMaxVcpusArgs(type: "kvm")

    private func swarm(_ answer: Int32, gate: Gate? = nil) -> Swarm {
        Swarm { table in
            table.onAsync(RemoteProgram.ConnectGetMaxVcpus.self) { _, _ in
                if let gate { await gate.pass() }
                return RemoteConnectGetMaxVcpusRet(maxVcpus: answer)
            }
        }
    }

    private func request(_ serial: UInt32) throws -> [UInt8] {
        let header = MessageHeader(RemoteProgram.ConnectGetMaxVcpus.descriptor, type: .call, serial: serial)
        return try XDRWriter.frame(header, Self.call)
    }

    private func write(_ bytes: some Sequence<UInt8>, to socket: DescriptorBox) throws {
        try RawPeer.write(socket, Array(bytes))
    }

    /// The next reply's serial and value.
    private func reply(_ socket: DescriptorBox) throws -> [UInt32] {
        var bytes: [UInt8] = []
        while bytes.count < 32 {
            let part = try RawPeer.read(socket, atMost: 32 - bytes.count)
            try #require(!part.isEmpty)
            bytes += part
        }
        var reader = XDRReader(bytes[20...])
        let (serial, status) = (try reader.uint32(), try reader.uint32())
        try #require(status == 0)
        return [serial, try reader.uint32()]
    }

    private func move(_ saved: SavedServer, to server: RPCServer) throws {
        for client in saved.clients {
            _ = server.restore(client, DescriptorBox(try OwnedDescriptor(duplicating: client.descriptor)))
        }
        server.startAccepting()
    }

    @Test func `a call that has come in part is answered by the next program`() async throws {
        let (before, after) = (swarm(1), swarm(2))
        let socket = try before.rawSocket()
        let second = try request(2)
        try write(try request(1) + second[..<9], to: socket)
        #expect(try reply(socket) == [1, 1])
        await before.server.suspend(grace: .milliseconds(50), on: before.loops.loops[0])
        let saved = await before.server.saved(isOwn: true)
        #expect(saved.clients.map(\.input) == [Array(second[..<9])])
        try move(saved, to: after.server)
        try write(second[9...], to: socket)
        #expect(try reply(socket) == [2, 2])
    }

    @Test func `calls that have come are answered, and those behind them wait for the next program`() async throws {
        let gate = Gate()
        let (before, after) = (swarm(1, gate: gate), swarm(2))
        let socket = try before.rawSocket()
        try write(try request(1), to: socket)
        await gate.waitForArrivals(1)
        async let suspended: Void = before.server.suspend(grace: .seconds(60), on: before.loops.loops[0])
        await gate.open()
        await suspended
        try write(try request(2) + request(3)[..<5], to: socket)
        #expect(try reply(socket) == [1, 1])
        let saved = await before.server.saved(isOwn: true)
        #expect(saved.clients.map(\.input) == [[]])
        try move(saved, to: after.server)
        try write(try request(3)[5...], to: socket)
        #expect(try reply(socket) == [2, 2])
        #expect(try reply(socket) == [3, 2])
    }

    @Test func `a client whose call does not end is left behind`() async throws {
        let gate = Gate()
        let before = swarm(1, gate: gate)
        let socket = try before.rawSocket()
        try write(try request(1), to: socket)
        await gate.waitForArrivals(1)
        await before.server.suspend(grace: .milliseconds(20), on: before.loops.loops[0])
        #expect(await before.server.saved(isOwn: true).clients.isEmpty)
        await gate.open()
    }

    @Test func `a server that goes on reads what came meanwhile`() async throws {
        let before = swarm(1)
        let socket = try before.rawSocket()
        try write(try request(1)[..<30], to: socket)
        await before.server.suspend(grace: .milliseconds(20), on: before.loops.loops[0])
        try write(try request(1)[30...] + request(2), to: socket)
        before.server.resume()
        #expect(try reply(socket) == [1, 1])
        #expect(try reply(socket) == [2, 1])
    }

    @Test func `ids go on, and clients keep theirs`() async throws {
        let (before, after) = (swarm(1), swarm(2))
        let socket = try before.rawSocket()
        _ = try before.rawSocket()
        try write(try request(1), to: socket)
        #expect(try reply(socket) == [1, 1])
        await before.server.suspend(grace: .seconds(60), on: before.loops.loops[0])
        let saved = await before.server.saved(isOwn: true)
        #expect(saved.nextID == 3)
        try move(saved, to: after.server)
        #expect(after.server.core.client(1)?.connectTime == saved.clients.first?.connectTime)
        after.server.core.lastID = saved.nextID &- 1
        let third = try after.rawSocket()
        try write(try request(1), to: third)
        #expect(try reply(third) == [1, 2])
        #expect(after.server.core.clients.map(\.id).contains(3))
    }
}
