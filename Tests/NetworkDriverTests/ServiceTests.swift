import NetworkLeases
import Synchronization
import Testing
import VirtCore
import VirtModel
import VirtOS

@testable import NetworkDriver

private let loops = EventLoopGroup(count: 1)

@Suite("The network service")
struct ServiceTests {
    private let host = FakeHost(links: ["virbr0"])
    private let service: NetworkService

    init() { service = NetworkService(host: host, paths: .test, loop: loops.next()) }

    private func message(_ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? VirtError)?.message ?? "\(error)"
        }
    }

    @Test("A new network gets the first bridge name that is free, and a MAC")
    func define() async throws {
        let first = try await service.define(definition("", name: "a"))
        #expect(first.bridge.name == "virbr1")
        #expect(first.mac != nil)
        let second = try await service.define(definition("<bridge name='x%dy'/>", name: "b"))
        #expect(second.bridge.name == "x0y")
        #expect(host.now.files["/c/a.xml"]?.contains("virsh net-edit a\n") == true)
        #expect(service.registry.all.map { $0.name } == ["a", "b"])
    }

    @Test("Names, UUIDs and bridges of two networks never clash")
    func duplicates() async throws {
        let uuid = "b1b1b1b1-0000-4000-8000-0000000000a1"
        _ = try await service.define(definition("<uuid>\(uuid)</uuid><bridge name='vb7'/>", name: "a"))
        let prefix = "operation failed: network 'a' "
        #expect(
            await message { _ = try await service.define(definition("<bridge name='vb7'/>", name: "b")) }
                == "internal error: bridge name 'vb7' already in use.")
        #expect(
            await message { _ = try await service.define(definition("", name: "a")) }
                == prefix + "already exists with uuid \(uuid)")
        #expect(
            await message { _ = try await service.define(definition("<uuid>\(uuid)</uuid>", name: "b")) }
                == prefix + "is already defined with uuid \(uuid)")
    }

    @Test("A definition that cannot be saved leaves the old one")
    func fullDisk() async throws {
        let text = definition("<uuid>b1b1b1b1-0000-4000-8000-0000000000a1</uuid><bridge name='vb7'/>")
        _ = try await service.define(text)
        host.prepare { $0.failing = $0.actions.count }
        #expect(
            await message {
                _ = try await service.define(
                    definition(
                        "<uuid>b1b1b1b1-0000-4000-8000-0000000000a1</uuid><bridge name='vb8'/>"))
            } != nil)
        #expect(try service.registry.find("n").persistent?.bridge.name == "vb7")
        host.prepare { $0.failing = $0.actions.count }
        #expect(await message { _ = try await service.define(definition("", name: "new")) } != nil)
        #expect(service.registry.all.count == 1)
    }

    @Test("A running network is changed live, in its definition, or both")
    func update() async throws {
        let network = try await service.define(
            definition("<bridge name='vb7'/><ip address='10.0.0.1' prefix='24'/>"))
        let update = Network.Update(
            command: 3, section: 10, parentIndex: -1, xml: "<host ip='10.0.0.5'><hostname>five</hostname></host>")
        #expect(
            await message { try await service.update(network.uuid, "n", update, flags: 1) }
                == "Requested operation is not valid: network is not running")
        try await service.start(network.uuid, "n")
        try await service.update(network.uuid, "n", update, flags: 0)
        let entry = try service.registry.find("n")
        #expect(entry.current.dns.hosts.count == 1)
        #expect(entry.persistent?.dns.hosts.isEmpty == true)
        #expect(host.now.files["/d/n.addnhosts"] == "10.0.0.5\tfive\t\n")
        try await service.update(network.uuid, "n", update, flags: 2)
        #expect(try service.registry.find("n").persistent?.dns.hosts.count == 1)
    }

    @Test("A transient network is gone when it stops, and never came when its start fails")
    func transient() async throws {
        let network = try await service.create(definition("<bridge name='vb7'/>"))
        #expect(try !service.registry.find("n").isPersistent)
        #expect(
            await message { try await service.undefine(network.uuid, "n") }
                == "Requested operation is not valid: can't undefine transient network")
        #expect(
            await message { try await service.setAutostart(network.uuid, "n", true) }
                == "Requested operation is not valid: cannot set autostart for transient network")
        try await service.destroy(network.uuid, "n")
        #expect(service.registry.all.isEmpty)
        host.prepare { $0.failing = $0.actions.count + 1 }
        #expect(await message { _ = try await service.create(definition("<bridge name='vb7'/>")) } != nil)
        #expect(service.registry.all.isEmpty)
    }

    @Test("Ports are counted on their devices, the least used first, and given back")
    func ports() async throws {
        let network = try await service.define(
            definition("<forward mode='vepa'><interface dev='e1'/><interface dev='e2'/></forward>"))
        #expect(
            await message { _ = try await create(network, 1) }
                == "Requested operation is not valid: network 'n' is not active")
        try await service.start(network.uuid, "n")
        var devices: [NetworkPort.Plug] = []
        for number in 1...3 { devices.append(try await create(network, number).plug) }
        #expect(
            devices == [
                .direct(device: "e1", mode: .vepa), .direct(device: "e2", mode: .vepa),
                .direct(device: "e1", mode: .vepa),
            ])
        #expect(try service.registry.find("n").current.connections == 3)
        #expect(await message { _ = try await create(network, 1) }?.contains("already exists") == true)
        try await service.deletePort(network.uuid, "n", Self.uuid(1))
        let entry = try service.registry.find("n")
        #expect(entry.current.forward?.devices.map { $0.connections } == [1, 1])
        #expect(
            await message { try await service.deletePort(network.uuid, "n", Self.uuid(1)) }
                == "network port not found: Network port with UUID \(Self.uuid(1)) does not exist")
    }

    @Test("Guaranteed rates are added up, and refused when they are more than the network has")
    func floors() async throws {
        let network = try await service.create(
            definition("<bridge name='vb7'/><bandwidth><inbound average='100'/></bandwidth>"))
        let floor = "<bandwidth><inbound average='1' floor='60'/></bandwidth>"
        let port = try await create(network, 1, floor)
        #expect(port.classID == 3)
        #expect(try service.registry.find("n").status?.floorSum == 60)
        #expect(
            await message { _ = try await create(network, 2, floor) }?.hasSuffix(
                "new combined inbound floor=120 would overcommit average=100 on network 'n'") == true)
        try await service.deletePort(network.uuid, "n", port.uuid)
        #expect(try service.registry.find("n").status?.floorSum == 0)
        #expect(try service.registry.find("n").status?.classIDs == [0, 1, 2])
    }

    private static func uuid(_ number: Int) -> UUID { UUID(high: 0xB1, low: UInt64(number)) }

    private func create(_ network: Network, _ number: Int, _ more: String = "") async throws -> NetworkPort {
        let xml = """
            <networkport><uuid>\(Self.uuid(number))</uuid><owner><name>g</name><uuid>\(Self.uuid(99))</uuid></owner>
            <mac address='52:54:00:00:00:0\(number)'/>\(more)</networkport>
            """
        return try await service.createPort(network.uuid, network.name, xml, isReclaimed: false)
    }

    @Test("Leases that are in force are told, of one guest when it is named")
    func leases() async throws {
        let network = try await service.define(definition("<bridge name='vb7'/><ip address='10.0.0.1' prefix='24'/>"))
        host.prepare {
            $0.files["/d/vb7.status"] = """
                [{"ip-address":"10.0.0.2","mac-address":"52:54:00:00:00:02","expiry-time":0},
                 {"ip-address":"10.0.0.3","mac-address":"52:54:00:00:00:03","expiry-time":5},
                 {"ip-address":"fd00::4","mac-address":"52:54:00:00:00:04","expiry-time":9999999999}]
                """
        }
        let all = try await service.leases(network.uuid, "n", mac: nil)
        #expect(all.map { $0.lease.ipAddress } == ["10.0.0.2", "fd00::4"])
        #expect(all.map { $0.prefix } == [24, 0])
        #expect(try await service.leases(network.uuid, "n", mac: "52:54:0:0:0:4").count == 1)
        #expect(await message { _ = try await service.leases(network.uuid, "n", mac: "x") } == "invalid MAC address: x")
    }
}

@Suite("Jobs of networks")
struct JobTableTests {
    /// How many are inside at once.
    private final class Gate: Sendable {
        private let counts = Mutex((now: 0, most: 0, total: 0))

        func enter() {
            counts.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
        }

        func leave() {
            counts.withLock {
                $0.now -= 1
                $0.total += 1
            }
        }

        var most: Int { counts.withLock { $0.most } }
        var total: Int { counts.withLock { $0.total } }
    }

    @Test("Changes of one network happen one after the other")
    func exclusion() async throws {
        let jobs = JobTable(loop: loops.next())
        let gate = Gate()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    try await jobs.run("n", "test") {
                        gate.enter()
                        await Task.yield()
                        gate.leave()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(gate.most == 1)
        #expect(gate.total == 20)
    }

    @Test("Who waits too long is told who has the job, and who is cancelled waits no more")
    func patience() async throws {
        let jobs = JobTable(loop: loops.next(), patience: .milliseconds(1))
        let error = await #expect(throws: VirtError.self) {
            try await jobs.run("n", "outer") { try await jobs.run("n", "inner") {} }
        }
        #expect(error?.code == .operationTimeout)
        #expect(error?.message.contains("held by outer for") == true)
        let patient = JobTable(loop: loops.next())
        try await patient.run("n", "outer") {
            let waiting = Task { try await patient.run("n", "inner") {} }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
        try await patient.run("n", "after") {}
    }
}
