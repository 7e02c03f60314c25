import Glibc
import Testing
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

private func word(_ bytes: [UInt8], _ offset: Int) -> Int {
    bytes[offset..<(offset + 4)].reduce(0) { $0 << 8 | Int($1) }
}

@Suite struct RouterTests {
    private let maxVcpus = RemoteConnectGetMaxVcpusArgs(type: nil)

    @Test(arguments: ProxiedSwarm.Road.allCases)
    func `a call through the proxy is answered by the daemon behind it`(road: ProxiedSwarm.Road) async throws {
        let swarm = try ProxiedSwarm(road)
        let client = try await swarm.client()
        #expect(try await client.call(RemoteProgram.ConnectGetMaxVcpus.self, maxVcpus).maxVcpus == 16)
        #expect(try await client.call(RemoteProgram.ConnectGetUri.self, XDRVoid()).uri == "qemu:///system")
    }

    @Test(arguments: ProxiedSwarm.Road.allCases)
    func `the daemon behind sees who the client is`(road: ProxiedSwarm.Road) async throws {
        let swarm = try ProxiedSwarm(road)
        let client = try await swarm.client()
        _ = try await client.call(RemoteProgram.ConnectGetMaxVcpus.self, maxVcpus)
        let identity = try #require(swarm.qemu.core.clients.first?.identity)
        #expect(identity.userID == UInt64(geteuid()))
        #expect(identity.processID == Int64(getpid()))
    }

    @Test func `a daemon that is not there is a clear error`() async throws {
        let swarm = try ProxiedSwarm()
        let client = try await swarm.client()
        let error = await #expect(throws: VirtError.self) {
            try await client.call(
                RemoteProgram.NetworkLookupByName.self, RemoteNetworkLookupByNameArgs(name: "default"))
        }
        #expect(error?.message.contains("virtnetworkd-sock': No such file or directory") == true)
        #expect(try await client.call(RemoteProgram.ConnectGetMaxVcpus.self, maxVcpus).maxVcpus == 16)
    }

    @Test(arguments: ProxiedSwarm.Road.allCases)
    func `a restarted daemon gets the event registrations again and a call in flight fails`(
        road: ProxiedSwarm.Road
    ) async throws {
        let swarm = try ProxiedSwarm(road)
        let client = try await swarm.client()
        let events = Mailbox<RemoteDomainEventCallbackRebootMsg>()
        client.onEvent(RemoteProgram.DomainEventCallbackReboot.self) { events.put($0) }
        // An id that the daemon will not give again: the client must still hear of its own.
        _ = try await client.call(
            RemoteProgram.ConnectDomainEventCallbackRegisterAny.self,
            RemoteConnectDomainEventCallbackRegisterAnyArgs(eventID: 1, dom: nil))
        let stuck = Task {
            try await client.call(
                RemoteProgram.ConnectGetMaxVcpus.self, RemoteConnectGetMaxVcpusArgs(type: "never"))
        }
        while swarm.qemu.core.counts.running == 0 { await Task.yield() }
        try await swarm.restartQemu()
        let error = await #expect(throws: VirtError.self) { _ = try await stuck.value }
        #expect(error?.message.contains("went away") == true)
        #expect(try await client.call(RemoteProgram.ConnectGetMaxVcpus.self, maxVcpus).maxVcpus == 16)
        while swarm.events.isEmpty { await Task.yield() }
        swarm.events.publish(42)
        let event = try #require(await events.take())
        #expect(event.msg.dom.id == 42)
        #expect(event.callbackID == 0)
    }

    @Test(arguments: ProxiedSwarm.Road.allCases)
    func `calls that arrive together, cut anywhere, are all passed on and answered in order`(
        road: ProxiedSwarm.Road
    ) async throws {
        let swarm = try ProxiedSwarm(road)
        let socket = try swarm.rawClient()
        let uri = MessageHeader(RemoteProgram.ConnectGetType.descriptor, type: .call, serial: 0)
        var calls: [UInt8] = []
        for serial in 2..<102 {
            var header = uri
            header.serial = UInt32(serial)
            calls += XDRWriter.frame(header)
        }
        for piece in [calls[..<1000], calls[1000..<1001], calls[1001...]] { try RawPeer.write(socket, Array(piece)) }
        var replies: [UInt8] = []
        var serials: [Int] = []
        while serials.count < 100 {
            let more = try RawPeer.read(socket)
            try #require(!more.isEmpty)
            replies += more
            while replies.count >= MessageHeader.size, replies.count >= word(replies, 0) {
                serials.append(word(replies, 20))
                replies.removeFirst(word(replies, 0))
            }
        }
        #expect(serials == Array(2..<102))
    }

    @Test(arguments: ProxiedSwarm.Road.allCases)
    func `documents larger than a socket takes arrive whole through the proxy`(road: ProxiedSwarm.Road) async throws {
        let swarm = try ProxiedSwarm(road)
        let client = try await swarm.client()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<40 {
                group.addTask {
                    try await client.call(RemoteProgram.ConnectGetCapabilities.self, XDRVoid()).capabilities.utf8.count
                }
            }
            for try await count in group { #expect(count == ProxiedSwarm.document.utf8.count) }
        }
    }

    @Test func `a scheme that nobody serves is refused at open`() async throws {
        let swarm = try ProxiedSwarm()
        let client = try await RPCClient.connect(path: "\(swarm.directory)/libvirt-sock", loop: swarm.loops.next())
        let error = await #expect(throws: VirtError.self) {
            try await client.call(
                RemoteProgram.ConnectOpen.self, RemoteConnectOpenArgs(name: "foo:///system", flags: 0))
        }
        #expect(error?.code == .noConnect)
    }
}
