import QEMUCommand
import Testing
import VirtModel

@Suite struct PreparationTests {
    private func domain(_ devices: String, machine: String = "pc-i440fx-7.2") throws -> Domain {
        try Domain.parse(
            """
            <domain type='qemu'><name>g</name><memory>65536</memory>
            <os><type arch='x86_64' machine='\(machine)'>hvm</type></os><devices>\(devices)</devices></domain>
            """)
    }

    @Test func `devices are named by kind and place`() throws {
        var domain = try domain(
            """
            <disk type='file'><source file='/a'/><target dev='vdc' bus='virtio'/></disk>
            <disk type='file'><source file='/b'/><target dev='hdd' bus='ide'/>
            <address type='drive' controller='0' bus='1' target='0' unit='1'/></disk>
            <disk type='file'><source file='/c'/><target dev='sda' bus='scsi'/>
            <address type='drive' controller='0' bus='0' target='2' unit='0'/></disk>
            <controller type='pci' index='0' model='pci-root'/><controller type='ide' index='0'/>
            <controller type='scsi' index='0' model='virtio-scsi'/><controller type='usb' index='1' model='qemu-xhci'/>
            <interface type='user'/><interface type='user'><alias name='ua-mine'/></interface><interface type='user'/>
            <serial type='pty'/><console type='pty'><target type='serial'/></console>
            <console type='pty'><target type='virtio'/></console>
            """)
        domain.assignAliases()
        #expect(domain.devices.disks.map(\.info.alias) == ["virtio-disk2", "ide0-1-1", "scsi0-0-2-0"])
        #expect(domain.devices.controllers.map(\.info.alias) == ["pci.0", "ide", "scsi0", "usb1"])
        #expect(domain.devices.interfaces.map(\.info.alias) == ["net0", "ua-mine", "net1"])
        #expect(domain.devices.consoles.map(\.info.alias) == ["serial0", "console1"])
    }

    @Test func `names that are there stay`() throws {
        var domain = try domain("<interface type='user'/>")
        domain.assignAliases()
        let once = domain
        domain.assignAliases()
        #expect(domain == once)
    }

    @Test func `images are numbered from the last disk to the first, chains downwards`() throws {
        var domain = try domain(
            """
            <disk type='file'><driver type='qcow2'/><source file='/top'/><backingStore type='file'>
            <format type='raw'/><source file='/base'/><backingStore/></backingStore><target dev='vda' bus='virtio'/></disk>
            <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
            <disk type='file'><source file='/last'/><target dev='vdb' bus='virtio'/></disk>
            """)
        #expect(domain.assignNodeIndexes() == 4)
        #expect(domain.devices.disks.map(\.source.index) == [3, nil, 1])
        #expect(domain.devices.disks[0].backingStore?.source?.index == 4)
    }

    @Test(arguments: [("vda", 0), ("sdz", 25), ("hdaa", 26), ("fdb", 1)])
    func `device names count in letters`(name: String, number: Int) {
        #expect(Disk.number(of: name) == number)
    }

    @Test(arguments: ["vd", "x", "", "vd1", "vdABC", "vdaaaaaaaaaaaa"])
    func `other names have no number`(name: String) {
        #expect(Disk.number(of: name) == nil)
    }
}
