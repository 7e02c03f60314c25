import Testing
import VirtCore
import VirtModel

@Suite("Documents of checkpoints and backups")
struct CheckpointAndBackupTests {
    private static func disk(_ target: String, _ file: String?, readonly: Bool = false) -> Disk {
        var disk = Disk()
        disk.target.dev = target
        disk.source.file = file
        disk.readonly = readonly
        return disk
    }

    private var guest: Domain {
        var domain = Domain()
        domain.name = "guest"
        domain.devices.disks = [
            Self.disk("vda", "/images/a"), Self.disk("vdb", "/images/b"), Self.disk("sda", nil, readonly: true),
        ]
        return domain
    }

    @Test("A new checkpoint takes its time from the driver, and its name from the time when it has none")
    func newCheckpoint() throws {
        let text = """
            <domaincheckpoint><description>d</description><parent><name>p</name></parent>
            <creationTime>5</creationTime></domaincheckpoint>
            """
        let checkpoint = try DomainCheckpoint.parse(new: text, now: 77)
        #expect(checkpoint.name == "77")
        #expect(checkpoint.creationTime == 77)
        #expect(checkpoint.parent == nil)
        #expect(checkpoint.description == "d")
    }

    @Test("What is redefined must say its name and its time")
    func redefined() {
        let unnamed = #expect(throws: VirtError.self) {
            try DomainCheckpoint.parse(existing: "<domaincheckpoint/>".utf8)
        }
        #expect(unnamed?.code == .xmlError)
        let timeless = #expect(throws: VirtError.self) {
            try DomainCheckpoint.parse(existing: "<domaincheckpoint><name>c</name></domaincheckpoint>".utf8)
        }
        #expect(timeless?.code == .internalError)
    }

    @Test("Without disks all that can be written are recorded; else the named ones")
    func align() throws {
        var all = try DomainCheckpoint.parse(new: "<domaincheckpoint><name>c</name></domaincheckpoint>", now: 1)
        all.domain = guest
        try all.alignDisks()
        #expect(all.disks.map(\.name) == ["vda", "vdb", "sda"])
        #expect(all.disks.map(\.kind) == [.bitmap, .bitmap, .no])
        #expect(all.disks.map(\.bitmap) == ["c", "c", nil])
        var one = try DomainCheckpoint.parse(
            new: "<domaincheckpoint><name>c</name><disks><disk name='/images/b'/></disks></domaincheckpoint>", now: 1)
        one.domain = guest
        try one.alignDisks()
        #expect(one.disks.map(\.kind) == [.no, .bitmap, .no])
    }

    @Test(
        "Disks that are not there, named twice, or empty are refused",
        arguments: [
            ("<disk name='vdz'/>", "no disk named 'vdz'"),
            ("<disk name='vda'/><disk name='/images/a'/>", "disk '/images/a' specified twice"),
            ("<disk name='sda' checkpoint='bitmap'/>", "disk 'sda' is empty or readonly"),
        ])
    func refused(disks: String, text: String) throws {
        var checkpoint = try DomainCheckpoint.parse(
            new: "<domaincheckpoint><disks>\(disks)</disks></domaincheckpoint>", now: 1)
        checkpoint.domain = guest
        let aligned = checkpoint
        let error = #expect(throws: VirtError.self) {
            var copy = aligned
            try copy.alignDisks()
        }
        #expect(error?.code == .configUnsupported)
        #expect(error?.message.contains(text) == true)
    }

    @Test("A checkpoint's document is printed as libvirt prints it")
    func format() throws {
        let text = """
            <domaincheckpoint>
              <name>c2</name>
              <parent>
                <name>c1</name>
              </parent>
              <creationTime>9</creationTime>
              <disks>
                <disk name='vda' checkpoint='bitmap' bitmap='c2'/>
                <disk name='vdb' checkpoint='no'/>
              </disks>
            </domaincheckpoint>

            """
        #expect(try DomainCheckpoint.parse(existing: text.utf8).format(secure: false) == text)
    }

    @Test("A backup's disks get files, modes and names")
    func backup() throws {
        var backup = try DomainBackup.parse("<domainbackup><incremental>c1</incremental></domainbackup>")
        try backup.align(to: guest, suffix: "x")
        #expect(backup.disks.map(\.isWanted) == [true, true, false])
        #expect(backup.disks.first?.store.file == "/images/a.x")
        #expect(backup.disks.first?.mode == .incremental)
        #expect(backup.disks.first?.incremental == "c1")
        #expect(
            try backup.format().contains("<disk name='vda' backup='yes' type='file' backupmode='incremental'"))
    }

    @Test("A pulled backup names scratch files, a pushed one targets")
    func modes() throws {
        let text = """
            <domainbackup mode='pull'>
              <server transport='unix' socket='/run/s'/>
              <disks>
                <disk name='vda' backup='yes' type='file' exportname='e'>
                  <driver type='qcow2'/>
                  <scratch file='/images/scratch'/>
                </disk>
                <disk name='vdb' backup='no'/>
              </disks>
            </domainbackup>

            """
        let backup = try DomainBackup.parse(text)
        #expect(backup.disks.first?.store.file == "/images/scratch")
        #expect(try backup.format() == text)
        #expect(!backup.disks[1].isWanted)
    }

    @Test(
        "Backups that make no sense are refused",
        arguments: [
            ("<domainbackup mode='carry'/>", VirtError.Code.configUnsupported),
            ("<domainbackup><server name='h' port='1'/></domainbackup>", .configUnsupported),
            ("<domainbackup mode='pull'><server transport='rdma'/></domainbackup>", .configUnsupported),
            ("<domainbackup mode='pull'><server transport='unix' socket='s'/></domainbackup>", .xmlError),
            ("<domainbackup><disks><disk name='vda' type='dir'/></disks></domainbackup>", .xmlError),
            ("<domainbackup><disks><disk backup='yes'/></disks></domainbackup>", .xmlError),
            ("<domainbackup><disks><disk", .xmlDetail),
        ])
    func nonsense(text: String, code: VirtError.Code) {
        let error = #expect(throws: VirtError.self) { try DomainBackup.parse(text) }
        #expect(error?.code == code)
    }
}
