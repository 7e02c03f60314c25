import VirtModel

/// Documents for the tests of snapshots.
enum SnapshotFixture {
    static let uuid = "2c0abd3d-8f18-42c0-a132-9708213aaac9"

    /// The definition of a guest with three disks, as it stands in a snapshot.
    static let domain = """
          <domain type='qemu'>
            <name>guest</name>
            <uuid>\(uuid)</uuid>
            <memory unit='KiB'>131072</memory>
            <vcpu placement='static'>1</vcpu>
            <os>
              <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
            </os>
            <clock offset='utc'/>
            <devices>
              <disk type='file' device='disk'>
                <driver name='qemu' type='qcow2'/>
                <source file='/images/one.qcow2'/>
                <target dev='vda' bus='virtio'/>
              </disk>
              <disk type='file' device='disk' snapshot='no'>
                <driver name='qemu' type='raw'/>
                <source file='/images/two'/>
                <target dev='vdb' bus='virtio'/>
              </disk>
              <disk type='file' device='cdrom'>
                <target dev='sda' bus='sata'/>
                <readonly/>
              </disk>
            </devices>
          </domain>

        """

    /// A snapshot of it with all that a document can say.
    static func document(_ head: String, active: Bool? = nil) -> String {
        let end = active.map { "  <active>\($0 ? 1 : 0)</active>\n" } ?? ""
        return "<domainsnapshot>\n\(head)\(domain)\(end)</domainsnapshot>\n"
    }

    static let internalHead = """
          <name>first</name>
          <description>before the update</description>
          <state>running</state>
          <parent>
            <name>zero</name>
          </parent>
          <creationTime>1700000000</creationTime>
          <memory snapshot='internal'/>
          <disks>
            <disk name='vda' snapshot='internal'/>
            <disk name='vdb' snapshot='no'/>
            <disk name='sda' snapshot='no'/>
          </disks>

        """

    static let externalHead = """
          <name>second</name>
          <state>disk-snapshot</state>
          <creationTime>1700000001</creationTime>
          <memory snapshot='no'/>
          <disks>
            <disk name='vda' snapshot='external' type='file'>
              <driver type='qcow2'>
                <metadata_cache>
                  <max_size unit='bytes'>4096</max_size>
                </metadata_cache>
              </driver>
              <source file='/images/one.second'>
                <seclabel model='dac' relabel='no'/>
              </source>
            </disk>
            <disk name='vdb' snapshot='manual'/>
            <disk name='sda' snapshot='no'/>
          </disks>

        """

    static func parse(_ text: String, redefines: Bool = false, isOffline: Bool = false) throws -> Snapshot {
        try Snapshot.parse(text.utf8, .init(isRedefinition: redefines, isOffline: isOffline))
    }

    /// A snapshot that stands in a tree.
    static func snapshot(
        _ name: String, parent: String? = nil, _ state: Snapshot.State = .running, external: Bool = false
    ) -> Snapshot {
        var snapshot = Snapshot()
        snapshot.name = name
        snapshot.parent = parent
        snapshot.state = state
        snapshot.disks = [Snapshot.Disk("vda", external ? .external : .internal)]
        return snapshot
    }
}
