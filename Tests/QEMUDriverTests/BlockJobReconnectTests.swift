import Testing
import VirtCore
import VirtModel
import VirtOS

@testable import QEMUDriver

@Suite("Block jobs of an earlier daemon", .serialized)
struct BlockJobReconnectTests {
    private static let job = """
        <blockjobs active='yes'><blockjob name='pull-vda-libvirt-2-format' type='pull' state='running' jobflags='0x0'>
        <disk dst='vda'/></blockjob></blockjobs>
        """

    private func world(jobs: String) async throws -> World {
        let world = try await World()
        let path = world.root + "/run/libvirt/qemu/b1.xml"
        let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
            .split(separator: "<blockjobs active='no'/>").joined(separator: Self.job)
            .split(separator: "<backingStore/>", maxSplits: 1).joined(
                separator: """
                    <backingStore type='file' index='3'><format type='qcow2'/><source file='/images/base'/>
                    <backingStore/></backingStore>
                    """)
        try FileSystem.atomicWrite(path, Array(text.utf8))
        world.qemu.answer("query-jobs", jobs)
        world.qemu.answer("query-named-block-nodes", "[]")
        return world
    }

    private func chain(_ world: World) throws -> [String?] {
        let domain = try world.driver.registry.snapshot(named: "b1").live
        return domain?.devices.disks.first?.imageChain.images.map(\.source.path) ?? []
    }

    @Test("A job that ended meanwhile is finished: the chain is cut and its images are closed", .timeLimit(.minutes(1)))
    func ended() async throws {
        let world = try await world(
            jobs: #"[{"id":"pull-vda-libvirt-2-format","status":"concluded","current-progress":1,"total-progress":1}]"#)
        defer { world.remove() }
        try await world.driver.start()
        #expect(try chain(world).count == 1)
        #expect(world.qemu.commands.list.contains("job-dismiss"))
        #expect(world.qemu.commands.list.filter { $0 == "blockdev-del" }.count == 2)
        #expect(try world.driver.registry.snapshot(named: "b1").runtime?.blockJobs.isEmpty == true)
        world.qemu.end()
    }

    @Test("A job that failed leaves the chain as it was", .timeLimit(.minutes(1)))
    func failed() async throws {
        let world = try await world(
            jobs: #"[{"id":"pull-vda-libvirt-2-format","status":"concluded","error":"No space left on device"}]"#)
        defer { world.remove() }
        try await world.driver.start()
        #expect(try chain(world).count == 2)
        #expect(try world.driver.registry.snapshot(named: "b1").runtime?.blockJobs.isEmpty == true)
        world.qemu.end()
    }

    @Test("A job that still runs stays, and one that QEMU does not know is forgotten", .timeLimit(.minutes(1)))
    func running() async throws {
        let first = try await world(jobs: #"[{"id":"pull-vda-libvirt-2-format","status":"running"}]"#)
        defer { first.remove() }
        try await first.driver.start()
        #expect(try first.driver.registry.snapshot(named: "b1").runtime?.blockJobs.first?.state == .running)
        first.qemu.end()
        let second = try await world(jobs: "[]")
        defer { second.remove() }
        try await second.driver.start()
        #expect(try second.driver.registry.snapshot(named: "b1").runtime?.blockJobs.isEmpty == true)
        #expect(try chain(second).count == 2)
        second.qemu.end()
    }
}
