import Glibc
import Testing
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

/// A proxy in front of a pretended virtqemud and virtnetworkd, on sockets of a directory of its own.
private final class ProxiedSwarm {
    let directory: String
    let loops = EventLoopGroup(count: 2)
    let proxy: RPCServer
    let events = EventHub<Int32>()
    private(set) var qemu: RPCServer

    init() throws {
        directory = "/tmp/virtswarm-router-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        mkdir(directory, 0o700)
        var table = HandlerTable(RemoteProgram.description)
        RemoteConnectionHandlers.installProxy(into: &table)
        proxy = RPCServer(
            name: "proxy", loops: loops, programs: [table], routes: .proxy(runDirectory: directory))
        proxy.listen(try UnixSocket.listen(path: "\(directory)/libvirt-sock", mode: 0o700))
        proxy.startAccepting()
        qemu = try Self.startQemu(directory, loops, events)
    }

    deinit {
        loops.shutdown()
        for name in ["libvirt-sock", "virtqemud-sock"] { unlink("\(directory)/\(name)") }
        rmdir(directory)
    }

    private static func startQemu(
        _ directory: String, _ loops: EventLoopGroup, _ events: EventHub<Int32>
    ) throws -> RPCServer {
        var table = HandlerTable(RemoteProgram.description)
        RemoteConnectionHandlers.install(into: &table, ConnectionOptions(scheme: "qemu", type: "QEMU"))
        table.onAsync(RemoteProgram.ConnectGetMaxVcpus.self) { arguments, _ in
            if arguments.type == "never" { try await Task.sleep(for: .seconds(3600)) }
            return RemoteConnectGetMaxVcpusRet(maxVcpus: 16)
        }
        table.on(RemoteProgram.ConnectDomainEventCallbackRegisterAny.self) { arguments, caller in
            let id = events.subscribe(caller.client) { value, callbackID in
                caller.client.send(
                    RemoteProgram.DomainEventCallbackReboot.self,
                    RemoteDomainEventCallbackRebootMsg(
                        callbackID: callbackID,
                        msg: RemoteDomainEventRebootMsg(
                            dom: RemoteNonnullDomain(name: "d", uuid: UUID.random(), id: value))))
            }
            return RemoteConnectDomainEventCallbackRegisterAnyRet(callbackID: id)
        }
        let server = RPCServer(name: "qemu", loops: loops, programs: [table])
        server.listen(try UnixSocket.listen(path: "\(directory)/virtqemud-sock", mode: 0o700))
        server.startAccepting()
        return server
    }

    func restartQemu() async throws {
        await qemu.stop(grace: .zero)
        unlink("\(directory)/virtqemud-sock")
        qemu = try Self.startQemu(directory, loops, events)
    }

    func client() async throws -> RPCClient {
        let client = try await RPCClient.connect(path: "\(directory)/libvirt-sock", loop: loops.next())
        _ = try await client.call(RemoteProgram.AuthList.self, XDRVoid())
        _ = try await client.call(
            RemoteProgram.ConnectOpen.self, RemoteConnectOpenArgs(name: "qemu:///system", flags: 0))
        return client
    }
}

@Suite struct RouterTests {
    private let maxVcpus = RemoteConnectGetMaxVcpusArgs(type: nil)

    @Test func `a call through the proxy is answered by the daemon behind it`() async throws {
        let swarm = try ProxiedSwarm()
        let client = try await swarm.client()
        #expect(try await client.call(RemoteProgram.ConnectGetMaxVcpus.self, maxVcpus).maxVcpus == 16)
        #expect(try await client.call(RemoteProgram.ConnectGetUri.self, XDRVoid()).uri == "qemu:///system")
    }

    @Test func `the daemon behind sees who the client is`() async throws {
        let swarm = try ProxiedSwarm()
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

    @Test func `a restarted daemon gets the event registrations again and a call in flight fails`() async throws {
        let swarm = try ProxiedSwarm()
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
