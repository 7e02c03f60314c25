import Glibc
import QEMUMonitor
import Testing
import VirtCore
import VirtModel
import VirtOS

@testable import QEMUDriver

@Suite("Snapshots in the driver")
struct SnapshotDriverTests {
    private func disk(_ path: String = "/images/one.qcow2", format: String = "qcow2") -> Disk {
        var disk = Disk()
        disk.target.dev = "vda"
        disk.source.file = path
        disk.source.index = 2
        var driver = DiskDriver()
        driver.type = format
        disk.driver = driver
        disk.backingStore = BackingStore()
        return disk
    }

    private func external(_ path: String = "/images/one.s", format: String = "qcow2") -> Snapshot.Disk {
        var own = Snapshot.Disk("vda", .external)
        own.source.file = path
        own.format = format
        return own
    }

    // MARK: Files

    @Test("What was written is found again, and only one snapshot is current")
    func files() throws {
        let directory = "/tmp/snapshot-files-\(getpid())"
        defer { try? FileSystem.removeTree(directory) }
        let files = SnapshotFiles(directory: directory)
        #expect(files.domains().isEmpty && files.load("guest").snapshots.isEmpty)
        for (name, isActive) in [("a b", false), ("c", true)] {
            var snapshot = Snapshot()
            snapshot.name = name
            snapshot.state = .shutoff
            snapshot.memory = .init(.no)
            snapshot.creationTime = 5
            snapshot.isActive = isActive
            try files.write(snapshot, domain: "guest")
        }
        try FileSystem.atomicWrite("\(directory)/guest/broken.xml", Array("<x>".utf8), mode: 0o600)
        let loaded = files.load("guest")
        #expect(loaded.snapshots.map(\.name) == ["a b", "c"])
        #expect(loaded.current == "c")
        let text = String(decoding: try FileSystem.read("\(directory)/guest/c.xml"), as: UTF8.self)
        #expect(text.contains("\n  virsh snapshot-edit\n"))
        files.remove("a b", domain: "guest")
        files.removeDirectory("guest")
        #expect(files.domains() == ["guest"], "what can't be read stays")
    }

    // MARK: Overlays

    @Test("A new image is as large as the one below and names it")
    func creation() throws {
        let overlay = Overlay(disk(), external(), number: 7)
        let below = try JSONParser.parse(
            #"{"image":{"virtual-size":67108864,"cluster-size":65536,"format-specific":{"data":{"extended-l2":true}}}}"#
        )
        let options = JSONValue.object(try overlay.creation(below)).serialized()
        #expect(
            String(decoding: options, as: UTF8.self)
                == #"{"driver":"qcow2","file":"libvirt-7-storage","size":67108864,"cluster-size":65536,"#
                + #""extended-l2":true,"backing-file":"/images/one.qcow2","backing-fmt":"qcow2"}"#)
        #expect(throws: VirtError.self) { try overlay.creation([:]) }
        var remote = disk()
        remote.source = DiskSource()
        remote.source.type = .network
        #expect(throws: VirtError.self) { try Overlay(remote, external(), number: 7).creation(below) }
    }

    @Test("Bitmaps that record go on in the new image, before it is put over the old one")
    func actions() throws {
        let overlay = Overlay(disk(), external(), number: 7)
        let below = try JSONParser.parse(
            """
            {"dirty-bitmaps":[{"name":"a","persistent":true,"recording":true,"granularity":65536},
            {"name":"b","persistent":false,"recording":true},{"name":"c","persistent":true,"recording":false},
            {"name":"d","persistent":true,"recording":true,"inconsistent":true}]}
            """)
        let actions = overlay.actions(bitmaps: below)
        #expect(actions.count == 2)
        #expect(actions[0]["data"]?["name"]?.string == "a")
        #expect(actions[0]["data"]?["node"]?.string == "libvirt-7-format")
        #expect(actions[1]["data"]?["node"]?.string == "libvirt-2-format")
        #expect(actions[1]["data"]?["overlay"]?.string == "libvirt-7-format")
    }

    @Test("The old image is below the new one; taking that out again makes the disk as it was")
    func chains() throws {
        let old = disk()
        var changed = old
        changed.push(Overlay(old, external(), number: 7).top)
        #expect(changed.chain.map(\.file) == ["/images/one.s", "/images/one.qcow2"])
        #expect(changed.chain.map(\.index) == [7, 2])
        var second = changed
        second.push(Overlay(changed, external("/images/one.t", format: "qed"), number: 8).top)
        #expect(second.driver?.type == "qed")
        let wasThere = second.drop(external().source)
        #expect(wasThere)
        #expect(second.chain.map(\.file) == ["/images/one.t", "/images/one.qcow2"])
        let isThere = second.drop(external().source)
        #expect(!isThere)
        changed.drop(external().source)
        #expect(changed == old)
    }

    @Test("A definition follows only where it has the same image")
    func sameImage() {
        let overlay = Overlay(disk(), external(), number: 7)
        #expect(overlay.replaces(disk()))
        #expect(!overlay.replaces(disk("/images/other")))
    }

    // MARK: Rules

    private func check(
        _ own: Snapshot.Disk, _ disk: Disk, active: Bool = true, reuses: Bool = false,
        memory: Snapshot.Location = .no, state: Snapshot.State? = nil
    ) throws -> Snapshot {
        var snapshot = Snapshot()
        snapshot.disks = [own]
        snapshot.memory = .init(memory)
        snapshot.state = state
        var domain = Domain()
        domain.devices.disks = [disk]
        try SnapshotRules(isActive: active, reusesImages: reuses, domain: domain).check(&snapshot)
        return snapshot
    }

    @Test("A new image is qcow2 unless something else is wanted that can be one")
    func formats() throws {
        var own = external("/tmp/no-such-image-\(getpid())", format: "qed")
        #expect(try check(own, disk()).disks[0].format == "qed")
        own.format = nil
        #expect(try check(own, disk()).disks[0].format == "qcow2")
        own.format = "raw"
        #expect(throws: VirtError.self) { try check(own, disk()) }
    }

    @Test("Files that would be lost, or that are not there, are refused")
    func images() throws {
        let path = "/tmp/snapshot-image-\(getpid())"
        defer { unlink(path) }
        #expect(throws: VirtError.self) { try check(external(path), disk(), reuses: true) }
        try FileSystem.atomicWrite(path, [], mode: 0o600)
        _ = try check(external(path), disk())
        try FileSystem.atomicWrite(path, [1], mode: 0o600)
        #expect(throws: VirtError.self) { try check(external(path), disk()) }
        _ = try check(external(path), disk(), reuses: true)
        #expect(throws: VirtError.self) { try check(external("/tmp"), disk()) }
    }

    @Test("Internal snapshots are for qcow2 images, and for all disks or none")
    func internals() throws {
        let own = Snapshot.Disk("vda", .internal)
        _ = try check(own, disk(), memory: .internal)
        _ = try check(own, disk(), active: false)
        #expect(throws: VirtError.self) { try check(own, disk(format: "raw"), memory: .internal) }
        #expect(throws: VirtError.self) { try check(own, disk(), state: .diskSnapshot) }
        #expect(throws: VirtError.self) { try check(own, disk(), memory: .external) }
        #expect(throws: VirtError.self) { try check(Snapshot.Disk("vda", .no), disk(), memory: .internal) }
        #expect(throws: VirtError(.configUnsupported, .qemu, "nothing selected for snapshot")) {
            try check(Snapshot.Disk("vda", .no), disk())
        }
    }

    @Test("Names reach QEMU's human monitor whole", arguments: [("a", "\"a\""), ("a \"b\\\n", #""a \"b\\\n""#)])
    func quoting(name: String, quoted: String) {
        #expect(HumanCommand.quote(name) == quoted)
    }

    // MARK: Flags

    @Test("Flags that exclude or need each other")
    func flags() throws {
        let quiesces = VirtError(
            code: .invalidArg, domain: .qemu,
            verbatim: "Flag 'VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY' is required by flag"
                + " 'VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE'")
        #expect(throws: quiesces) { try SnapshotCreateFlags(64) }
        #expect(throws: VirtError.self) { try SnapshotCreateFlags(256 | 1) }
        #expect(throws: VirtError.self) { try SnapshotCreateFlags(1024) }
        #expect(try SnapshotCreateFlags(64 | 16).quiesces)
        #expect(throws: VirtError.self) { try SnapshotRevertFlags(3) }
        #expect(throws: VirtError.self) { try SnapshotDeleteFlags(8) }
    }
}
