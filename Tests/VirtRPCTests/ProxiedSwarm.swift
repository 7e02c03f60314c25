import Glibc
import Testing
import VirtCore
import VirtOS
import VirtRPC
import VirtWire

/// A proxy in front of a pretended virtqemud and virtnetworkd, on sockets of a directory of its own.
final class ProxiedSwarm {
    let directory: String
    let loops = EventLoopGroup(count: 2)
    let proxy: RPCServer
    let events = EventHub<Int32>()
    private(set) var qemu: RPCServer
    private let road: Road
    private var front: TrunklessDaemon?

    private let limits: ServerLimits

    static let document = String(repeating: "<capabilities/>", count: 40_000)

    /// How the proxy gets its clients to virtqemud.
    enum Road: CaseIterable {
        case trunk
        /// virtqemud knows no trunks, as C libvirt's does not.
        case connections

        var socketName: String { self == .trunk ? "virtqemud-sock" : "hidden-sock" }
    }

    init(_ road: Road = .trunk, limits: ServerLimits = ServerLimits()) throws {
        self.road = road
        self.limits = limits
        directory = "/tmp/virtswarm-router-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        mkdir(directory, 0o700)
        var table = HandlerTable(RemoteProgram.description)
        RemoteConnectionHandlers.installProxy(into: &table)
        proxy = RPCServer(
            name: "proxy", loops: loops, programs: [table], routes: .proxy(runDirectory: directory))
        proxy.listen(try UnixSocket.listen(path: "\(directory)/libvirt-sock", mode: 0o700))
        proxy.startAccepting()
        qemu = try Self.startQemu(directory, road, limits, loops, events)
        if road == .connections { front = try TrunklessDaemon(directory, loops.next()) }
    }

    deinit {
        loops.shutdown()
        for name in ["libvirt-sock", "virtqemud-sock", "hidden-sock"] { unlink("\(directory)/\(name)") }
        rmdir(directory)
    }

    private static func startQemu(
        _ directory: String, _ road: Road, _ limits: ServerLimits, _ loops: EventLoopGroup, _ events: EventHub<Int32>
    ) throws -> RPCServer {
        var table = HandlerTable(RemoteProgram.description)
        RemoteConnectionHandlers.install(into: &table, ConnectionOptions(scheme: "qemu", type: "QEMU"))
        table.onAsync(RemoteProgram.ConnectGetMaxVcpus.self) { arguments, _ in
            if arguments.type == "never" { try await Task.sleep(for: .seconds(3600)) }
            return RemoteConnectGetMaxVcpusRet(maxVcpus: 16)
        }
        table.on(RemoteProgram.ConnectGetCapabilities.self) { _, _ in
            RemoteConnectGetCapabilitiesRet(capabilities: document)
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
        installTransfers(into: &table)
        let server = RPCServer(name: "qemu", loops: loops, programs: [table], limits: limits)
        server.listen(try UnixSocket.listen(path: "\(directory)/\(road.socketName)", mode: 0o700))
        server.startAccepting()
        return server
    }

    /// Descriptors in both directions, and a stream without end.
    private static func installTransfers(into table: inout HandlerTable) {
        table.onDescriptors(RemoteProgram.DomainOpenGraphicsFd.self) { _, _ in
            let (near, far) = Swarm.split(try UnixSocket.pair())
            try RawPeer.write(near, Array("given".utf8))
            return (XDRVoid(), [far])
        }
        table.onAsync(RemoteProgram.DomainCreateWithFiles.self) { arguments, caller in
            let file = try #require(caller.descriptors.first)
            try RawPeer.write(file, Array("taken".utf8))
            return RemoteDomainCreateWithFilesRet(dom: arguments.dom)
        }
        table.onStream(RemoteProgram.DomainOpenConsole.self) { _, _ in
            StreamStart(XDRVoid(), isSparse: false) { stream in
                while true { try await stream.write([UInt8](repeating: 7, count: 65536)) }
            }
        }
    }

    func restartQemu() async throws {
        await qemu.stop(grace: .zero)
        unlink("\(directory)/\(road.socketName)")
        qemu = try Self.startQemu(directory, road, limits, loops, events)
    }

    /// A client that speaks for itself, with virtqemud open.
    func rawClient() throws -> DescriptorBox {
        let socket = DescriptorBox(try UnixSocket.connect(path: "\(directory)/libvirt-sock"))
        let open = try XDRWriter.frame(
            MessageHeader(RemoteProgram.ConnectOpen.descriptor, type: .call, serial: 1),
            RemoteConnectOpenArgs(name: "qemu:///system", flags: 0))
        try RawPeer.write(socket, open)
        #expect(try RawPeer.read(socket).count == MessageHeader.size)
        return socket
    }

    func client() async throws -> RPCClient {
        let client = try await RPCClient.connect(path: "\(directory)/libvirt-sock", loop: loops.next())
        _ = try await client.call(RemoteProgram.AuthList.self, XDRVoid())
        _ = try await client.call(
            RemoteProgram.ConnectOpen.self, RemoteConnectOpenArgs(name: "qemu:///system", flags: 0))
        return client
    }
}

/// Stands before a daemon and answers what a daemon without trunks answers; the rest it passes on.
private final class TrunklessDaemon: Sendable {
    private let descriptor: DescriptorBox
    private let loop: EventLoop
    private let hidden: String

    init(_ directory: String, _ loop: EventLoop) throws {
        self.loop = loop
        hidden = "\(directory)/hidden-sock"
        descriptor = DescriptorBox(try UnixSocket.listen(path: "\(directory)/virtqemud-sock", mode: 0o700))
        loop.execute { self.watch() }
    }

    private func watch() {
        do {
            _ = try loop.watch(descriptor.rawValue, [.read]) { _ in self.accept() }
        } catch {
            Issue.record(error)
        }
    }

    private func accept() {
        guard case .accepted(let socket) = UnixSocket.acceptNext(descriptor.rawValue) else { return }
        do {
            let near = FramedSocket(DescriptorBox(socket), loop: loop)
            let far = FramedSocket(DescriptorBox(try UnixSocket.connect(path: hidden)), loop: loop)
            near.onFrame = { frame in
                guard frame.header.program == TrunkProgram.number else {
                    return far.send(Array(frame.bytes), descriptors: frame.descriptors)
                }
                let error = VirtError(.rpc, .rpc, "Cannot find program \(frame.header.program) version 1")
                near.send(XDRWriter.frame(frame.header.answer(.reply, .error), error: error), descriptors: [])
            }
            far.onFrame = { frame in near.send(Array(frame.bytes), descriptors: frame.descriptors) }
            near.onClosed = { far.close($0) }
            far.onClosed = { near.close($0) }
            try near.start()
            try far.start()
        } catch {
            // Nobody is behind it: the connection ends, as with a daemon that has just died.
            return
        }
    }
}
