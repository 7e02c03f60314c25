import Glibc
import Testing
import VirtCore
import VirtDaemon
import VirtOS
import VirtRPC
import VirtWire

@testable import QEMUDriver

/// A driver over a directory of its own that finds a guest of an earlier daemon.
struct World: Sendable {
    let root: String
    let loops = EventLoopGroup(count: 1, name: "test")
    let qemu: FakeQEMU
    let driver: QEMUDriver
    static let uuid = UUID(parsing: "b1b1b1b1-0000-4000-8000-000000000001") ?? .zero

    init() async throws {
        var template = Array("/tmp/virtqemud-test.XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw VirtError.system(errno, .none, "mkdtemp") }
        root = String(cString: made)
        let library = root + "/var/lib/libvirt/qemu/domain-1-b1"
        try FileSystem.makeDirectories(library)
        try FileSystem.makeDirectories(root + "/run/libvirt/qemu")
        try FileSystem.makeDirectories(root + "/etc/libvirt")
        try FileSystem.atomicWrite(root + "/etc/libvirt/qemu.conf", Array("stdio_handler = \"file\"\n".utf8))
        qemu = try FakeQEMU(path: library + "/monitor.sock", uuid: Self.uuid)
        let file = String(decoding: try StatusFileTests.fixture(), as: UTF8.self)
        let status = file.split(separator: "pid='170'").joined(separator: "pid='\(qemu.pid)'")
            .split(separator: "/var/lib/libvirt/qemu/").joined(separator: root + "/var/lib/libvirt/qemu/")
            .split(separator: "/var/lib/libvirt/images/").joined(separator: root + "/images/")
            .split(separator: "type='network'").joined(separator: "type='bridge'")
            .split(separator: "network='default' ").joined(separator: "bridge='virbr0' ")
        try FileSystem.atomicWrite(root + "/run/libvirt/qemu/b1.xml", Array(status.utf8))
        let paths = DaemonPaths(root: root)
        let context = DaemonContext(
            name: "virtqemud", paths: paths, loops: loops, config: .empty(name: "virtqemud.conf"),
            inhibitor: Inhibitor(), notify: SystemdNotify(), hostUUID: .random())
        driver = try await QEMUDriver(context)
        qemu.answer("query-status", #"{"status":"running","running":true}"#)
        qemu.serve()
    }

    /// A client of the driver that has opened a connection.
    func client() async throws -> RPCClient {
        let server = RPCServer(name: "virtqemud", loops: loops, programs: driver.handlerTables())
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0 else {
            throw VirtError.system(errno, .none, "socketpair")
        }
        server.adopt(DescriptorBox(OwnedDescriptor(ends[0])), readOnly: false, authentication: .none)
        let client = try await RPCClient(adopting: DescriptorBox(OwnedDescriptor(ends[1])), loop: loops.next())
        _ = try await client.call(RemoteProgram.AuthList.self, .init())
        _ = try await client.call(RemoteProgram.ConnectOpen.self, .init(name: "qemu:///system", flags: 0))
        return client
    }

    func remove() { try? FileSystem.removeTree(root) }
}

@Suite("Guests of an earlier daemon", .serialized)
struct ReconnectTests {
    /// Lifecycle events as they come, and a way to wait for so many.
    final class Events: Sendable {
        private let stream: AsyncStream<String>
        private let feed: AsyncStream<String>.Continuation

        init() { (stream, feed) = AsyncStream.makeStream() }

        func add(_ text: String) { feed.yield(text) }

        func take(_ count: Int) async -> [String] {
            var list: [String] = []
            for await entry in stream {
                list.append(entry)
                if list.count == count { break }
            }
            return list
        }
    }

    private func listen(_ client: RPCClient) async throws -> Events {
        let events = Events()
        client.onEvent(RemoteProgram.DomainEventCallbackLifecycle.self) { message in
            events.add("\(message.msg.event):\(message.msg.detail)")
        }
        let arguments = RemoteConnectDomainEventCallbackRegisterAnyArgs(eventID: 0, dom: nil)
        _ = try await client.call(RemoteProgram.ConnectDomainEventCallbackRegisterAny.self, arguments)
        return events
    }

    @Test("A guest that runs is found with its process, its state and its number", .timeLimit(.minutes(1)))
    func found() async throws {
        let world = try await World()
        defer { world.remove() }
        try await world.driver.start()
        let domain = try world.driver.registry.snapshot(named: "b1")
        #expect(domain.id == 1)
        #expect(domain.state == .running(.booted))
        #expect(domain.runtime?.pid == world.qemu.pid)
        #expect(domain.runtime?.monitor != nil)
        #expect(!domain.isPersistent)
        #expect(world.driver.nextID() == 2)
        #expect(world.qemu.commands.list.contains("query-named-block-nodes") == false)
        #expect(world.qemu.commands.list.first == "qmp_capabilities")
        world.qemu.end()
    }

    @Test("What QEMU reports becomes states and events in libvirt's order", .timeLimit(.minutes(1)))
    func reports() async throws {
        let world = try await World()
        defer { world.remove() }
        try await world.driver.start()
        let client = try await world.client()
        let events = try await listen(client)
        world.qemu.event("STOP")
        world.qemu.event("RESUME")
        world.qemu.event("RESET")
        world.qemu.event("GUEST_CRASHLOADED")
        #expect(await events.take(3) == ["3:0", "4:0", "8:1"])
        let state = try world.driver.registry.snapshot(named: "b1").state
        #expect(state == .running(.unpaused))
        world.qemu.end()
    }

    @Test(
        "A guest that powers off is ended, cleaned up after, and forgotten when it is transient",
        .timeLimit(.minutes(1)))
    func powerOff() async throws {
        let world = try await World()
        defer { world.remove() }
        try await world.driver.start()
        let client = try await world.client()
        let events = try await listen(client)
        world.qemu.event("SHUTDOWN", #"{"guest":true,"reason":"guest-shutdown"}"#)
        world.qemu.end()
        #expect(await events.take(2) == ["6:1", "5:0"])
        #expect(throws: VirtError.self) { try world.driver.registry.snapshot(named: "b1") }
        #expect(!FileSystem.exists(world.root + "/run/libvirt/qemu/b1.xml"))
        #expect(!FileSystem.exists(world.root + "/var/lib/libvirt/qemu/domain-1-b1"))
    }

    @Test("Destroying tells of the end once, and a second time there is no such domain", .timeLimit(.minutes(1)))
    func destroy() async throws {
        let world = try await World()
        defer { world.remove() }
        try await world.driver.start()
        let client = try await world.client()
        let events = try await listen(client)
        let dom = try await client.call(RemoteProgram.DomainLookupByName.self, .init(name: "b1")).dom
        _ = try await client.call(RemoteProgram.DomainDestroy.self, .init(dom: dom))
        #expect(await events.take(1) == ["5:1"])
        let error = await #expect(throws: VirtError.self) {
            _ = try await client.call(RemoteProgram.DomainDestroy.self, .init(dom: dom))
        }
        #expect(error?.code == .noDomain)
    }

    @Test("A guest that has gone meanwhile is reported as failed, and its files go", .timeLimit(.minutes(1)))
    func gone() async throws {
        let world = try await World()
        defer { world.remove() }
        await world.qemu.endAndWait()
        try await world.driver.start()
        #expect(throws: VirtError.self) { try world.driver.registry.snapshot(named: "b1") }
        #expect(!FileSystem.exists(world.root + "/run/libvirt/qemu/b1.xml"))
    }

    @Test("Directories of guests that there are not go; those of others stay", .timeLimit(.minutes(1)))
    func leftDirectories() async throws {
        let world = try await World()
        defer { world.remove() }
        let library = world.root + "/var/lib/libvirt/qemu"
        let left = [
            "/domain-7-gone", "/channel/target/domain-7-gone", "/ram/7-gone", "/domain-3-b1",
        ].map { library + $0 }
        let kept = ["/domain-1-b1", "/domain-9-alive", "/domain-x-y", "/domain-8", "/save", "/ram/notes"].map {
            library + $0
        }
        for path in left + kept { try FileSystem.makeDirectories(path) }
        let listener = try UnixSocket.listen(path: library + "/domain-9-alive/monitor.sock", mode: 0o700)
        try await world.driver.start()
        for path in left { #expect(!FileSystem.exists(path), "\(path)") }
        for path in kept { #expect(FileSystem.exists(path), "\(path)") }
        _ = consume listener
        world.qemu.end()
    }

    @Test("While a status file cannot be read, all directories stay", .timeLimit(.minutes(1)))
    func leftDirectoriesOfUnknownGuests() async throws {
        let world = try await World()
        defer { world.remove() }
        let path = world.root + "/var/lib/libvirt/qemu/domain-7-hidden"
        try FileSystem.makeDirectories(path)
        try FileSystem.atomicWrite(world.root + "/run/libvirt/qemu/hidden.xml", Array("<domstatus".utf8))
        try await world.driver.start()
        #expect(FileSystem.exists(path))
        world.qemu.end()
    }

    @Test("Suspending and resuming go through QEMU, and a call in the wrong state is refused", .timeLimit(.minutes(1)))
    func suspend() async throws {
        let world = try await World()
        defer { world.remove() }
        try await world.driver.start()
        let client = try await world.client()
        let dom = try await client.call(RemoteProgram.DomainLookupById.self, .init(id: 1)).dom
        let error = await #expect(throws: VirtError.self) {
            _ = try await client.call(RemoteProgram.DomainResume.self, .init(dom: dom))
        }
        #expect(error?.message == "Requested operation is not valid: domain is already running")
        _ = try await client.call(RemoteProgram.DomainSuspend.self, .init(dom: dom))
        #expect(world.qemu.commands.list.last == "stop")
        world.qemu.end()
    }
}
