import Testing
import VirtCore
import VirtModel
import VirtOS

@testable import QEMUDriver

@Suite struct LockTests {
    private func manager(_ name: String?, _ text: String) throws -> LockManager {
        try LockManager(name: name) { () throws(VirtError) in
            try ConfigFile.parse(bytes: Array(text.utf8), name: "qemu-lockd.conf")
        }
    }

    private func configuration(_ text: String) throws -> LockConfiguration {
        try LockConfiguration(ConfigFile.parse(bytes: Array(text.utf8), name: "qemu-lockd.conf"))
    }

    @Test func `nothing is locked unless that is asked for`() throws {
        #expect(try manager(nil, "auto_disk_leases = 0") == .none)
        #expect(try manager("nop", "") == .none)
        #expect(try manager("lockd", "") == .daemon(LockConfiguration()))
        #expect(throws: VirtError.self) { try manager("sanlock", "") }
    }

    @Test func `every setting is read, and leases are required when disks are not locked`() throws {
        let all = try configuration(
            """
            auto_disk_leases = 1
            require_lease_for_disks = 1
            file_lockspace_dir = "/f"
            lvm_lockspace_dir = "/l"
            scsi_lockspace_dir = "/s"
            """)
        #expect(all.locksDisks && all.requiresLeases)
        #expect([all.fileSpace, all.volumeSpace, all.scsiSpace] == ["/f", "/l", "/s"])
        #expect(try configuration("auto_disk_leases = 0").requiresLeases)
        #expect(try !configuration("auto_disk_leases = 0\nrequire_lease_for_disks = 0").requiresLeases)
        #expect(throws: VirtError.self) { try configuration("file_lockspace_dir = 1") }
    }

    @Test func `a disk is locked by its path, or by the path's digest`() async throws {
        let subject = LockSubject.image(path: "/img/a", isShared: true)
        let direct = try await GuestLock.named([subject], LockConfiguration())
        #expect(direct == [GuestLock(space: "", name: "/img/a", isShared: true)])
        let indirect = try await GuestLock.named([subject], configuration("file_lockspace_dir = \"/f\""))
        #expect(indirect == [GuestLock(space: "/f", name: GuestLock.digest("/img/a"), isShared: true, isMade: true)])
        #expect(
            GuestLock.digest("/var/lib/libvirt/images/a.img")
                == "17756750d91ae11b47d32396242a9e833937f02ab48569201fe29b1a94ecb520")
    }

    @Test func `leases have a space of their own and no offset`() throws {
        var lease = Lease()
        lease.path = "/leases"
        lease.lockspace = "space"
        lease.key = "key"
        #expect(try GuestLock(lease) == GuestLock(space: "/leases/space", name: "key"))
        lease.offset = 512
        let offset = #expect(throws: VirtError.self) { try GuestLock(lease) }
        #expect(offset?.message == "internal error: Offset must be zero for this lock manager")
        lease.offset = 0
        lease.lockspace = nil
        let missing = #expect(throws: VirtError.self) { try GuestLock(lease) }
        #expect(missing?.message == "internal error: Missing path or lockspace for lease resource")
    }

    @Test func `disks that may be written need leases when they are not locked`() async throws {
        let manual = try configuration("auto_disk_leases = 0")
        let disk = LockSubject.image(path: "/img/a", isShared: false)
        let error = await #expect(throws: VirtError.self) { try await GuestLock.named([disk], manual) }
        #expect(
            error?.message == "unsupported configuration: "
                + "Read/write, exclusive access, disks were present, but no leases specified")
        let shared = LockSubject.image(path: "/img/a", isShared: true)
        #expect(try await GuestLock.named([shared], manual).isEmpty)
        #expect(try await GuestLock.named([disk], configuration("")).count == 1)
    }

    @Test func `disks that are only read are nobody's business`() throws {
        var disk = Disk()
        disk.source.type = .file
        disk.source.file = "/img/a"
        #expect(disk.lockSubject == .image(path: "/img/a", isShared: false))
        disk.shareable = true
        #expect(disk.lockSubject == .image(path: "/img/a", isShared: true))
        disk.readonly = true
        #expect(disk.lockSubject == nil)
        disk.readonly = false
        disk.source.file = nil
        #expect(disk.lockSubject == nil)
        disk.source.type = .network
        #expect(disk.lockSubject == nil)
    }
}
