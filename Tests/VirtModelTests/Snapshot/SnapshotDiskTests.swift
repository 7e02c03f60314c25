import Testing
import VirtCore
import VirtModel

@Suite("Disks of snapshots")
struct SnapshotDiskTests {
    /// A new snapshot of the fixture's guest with those disks.
    private func aligned(
        _ disks: String, _ standard: Snapshot.Location, files: Set<String> = ["/images/one.qcow2", "/images/two"]
    ) throws -> Snapshot {
        var snapshot = try SnapshotFixture.parse(
            "<domainsnapshot><name>s</name><disks>\(disks)</disks></domainsnapshot>")
        let text = SnapshotFixture.document(SnapshotFixture.internalHead)
        snapshot.domain = try SnapshotFixture.parse(text, redefines: true).domain
        try snapshot.alignDisks(standard: standard, isRegularFile: files.contains)
        return snapshot
    }

    @Test("Disks that nobody mentions follow the domain, then the kind of snapshot")
    func defaults() throws {
        let own = try aligned("", .internal)
        #expect(own.disks.map(\.name) == ["vda", "vdb", "sda"])
        #expect(own.disks.map(\.location) == [.internal, .no, .no])
        let other = try aligned("<disk name='vdb' snapshot='external'/>", .external)
        #expect(other.disks.map(\.location) == [.external, .external, .no])
        #expect(other.disks.map(\.source.file) == ["/images/one.s", "/images/two.s", nil])
    }

    @Test("An image's path names its disk")
    func paths() throws {
        let snapshot = try aligned("<disk name='/images/one.qcow2' snapshot='external'/>", .external)
        #expect(snapshot.disks[0].name == "vda")
    }

    @Test(
        "What does not fit the domain is refused",
        arguments: [
            ("<disk name='vdx'/>", "no disk named 'vdx'"),
            ("<disk name='/images/none'/>", "no disk named '/images/none'"),
            ("<disk name='vda'/><disk name='/images/one.qcow2'/>", "disk '/images/one.qcow2' specified twice"),
            (
                "<disk name='a'/><disk name='b'/><disk name='c'/><disk name='d'/>",
                "too many disk snapshot requests for domain"
            ),
            ("<disk name='vda' snapshot='external'/>", "disk 'vda' must use snapshot mode 'internal'"),
            ("<disk name='vda' snapshot='no'/>", "disk 'vda' must use snapshot mode 'internal'"),
        ])
    func refusals(disks: String, message: String) {
        #expect(throws: VirtError(.configUnsupported, .domainSnapshot, message)) { try aligned(disks, .internal) }
    }

    @Test("An internal snapshot may leave out what the domain leaves out")
    func leftOut() throws {
        #expect(try aligned("<disk name='vdb' snapshot='no'/>", .internal).disks[1].location == .no)
        #expect(try aligned("<disk name='sda' snapshot='no'/>", .internal).disks[2].location == .no)
    }

    @Test("A file for an image that gets none is refused")
    func uselessFile() {
        #expect(throws: VirtError.self) {
            try aligned("<disk name='vda' snapshot='internal'><source file='/x'/></disk>", .external)
        }
    }

    @Test("No name is made up beside what is no file, or twice")
    func names() throws {
        #expect(throws: VirtError.self) { try aligned("", .external, files: []) }
        #expect(throws: VirtError.self) {
            try aligned("<disk name='vda' snapshot='external' type='network'/>", .external)
        }
        var snapshot = try aligned("", .internal)
        snapshot.domain?.devices.disks[0].source.file = "/images/two.x"
        snapshot.disks = [.init("vda", .external), .init("vdb", .external)]
        let error = #expect(throws: VirtError.self) {
            try snapshot.alignDisks(standard: .external) { _ in true }
        }
        #expect(error?.message.contains("collision with disk 'vda'") == true)
    }

    @Test("Without a definition there is nothing to go by, unless the snapshot of before has one")
    func missingDomain() throws {
        var snapshot = SnapshotFixture.snapshot("a")
        #expect(throws: VirtError(.internalError, .domainSnapshot, "missing domain in snapshot")) {
            try snapshot.alignDisks(standard: .internal) { _ in true }
        }
        let domain = try aligned("", .internal).domain
        try snapshot.alignDisks(existing: domain, standard: .internal) { _ in true }
        #expect(snapshot.disks.count == 3)
    }

    @Test("A redefinition can't make another snapshot of what is there")
    func redefinition() throws {
        let uuid = try #require(UUID(SnapshotFixture.uuid))
        let running = SnapshotFixture.snapshot("a")
        let off = SnapshotFixture.snapshot("a", .shutoff)
        let disk = SnapshotFixture.snapshot("a", .diskSnapshot, external: true)
        try running.validateRedefinition(of: SnapshotFixture.snapshot("a", .paused), domain: uuid, isDiskOnly: false)
        try disk.validateRedefinition(of: nil, domain: uuid, isDiskOnly: true)
        #expect(throws: VirtError.self) { try off.validateRedefinition(of: running, domain: uuid, isDiskOnly: false) }
        #expect(throws: VirtError.self) { try disk.validateRedefinition(of: off, domain: uuid, isDiskOnly: false) }
        #expect(throws: VirtError.self) { try running.validateRedefinition(of: nil, domain: uuid, isDiskOnly: true) }
        let named = try aligned("", .internal)
        #expect(throws: VirtError.self) { try named.validateRedefinition(of: nil, domain: .zero, isDiskOnly: false) }
    }
}
