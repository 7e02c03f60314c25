import Testing
import VirtCore
import VirtModel

@Suite("Storage pool documents")
struct StoragePoolTests {
    private static func parse(_ text: String) throws -> StoragePool { try StoragePool.parse(Array(text.utf8)) }

    private static let uuid = "<uuid>70a7eb15-6c34-ee9c-bf57-69e8e5ff3fb2</uuid>"
    private static let sizes = """
          <capacity unit='bytes'>0</capacity>
          <allocation unit='bytes'>0</allocation>
          <available unit='bytes'>0</available>

        """

    static let documents: [String] = [
        "<pool type='dir'>\n  <name>d</name>\n  \(uuid)\n\(sizes)  <features>\n    <cow state='no'/>\n  </features>\n"
            + "  <source>\n  </source>\n  <target>\n    <path>/t</path>\n  </target>\n</pool>\n",
        "<pool type='fs'>\n  <name>f</name>\n  \(uuid)\n\(sizes)  <source>\n    <device path='/dev/sda6'/>\n"
            + "    <format type='ext3'/>\n  </source>\n  <target>\n    <path>/mnt</path>\n    <permissions>\n"
            + "      <mode>0700</mode>\n      <owner>0</owner>\n      <group>0</group>\n    </permissions>\n"
            + "  </target>\n</pool>\n",
        "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>\n  <name>n</name>\n  \(uuid)\n"
            + "\(sizes)  <source>\n    <host name='h' port='12'/>\n    <dir path='/x'/>\n    <format type='nfs'/>\n"
            + "    <protocol ver='3'/>\n  </source>\n  <target>\n    <path>/mnt</path>\n  </target>\n  <fs:mount_opts>\n"
            + "    <fs:option name='sync'/>\n  </fs:mount_opts>\n</pool>\n",
        "<pool type='logical'>\n  <name>l</name>\n  \(uuid)\n\(sizes)  <source>\n    <device path='/dev/sdb1'/>\n"
            + "    <name>vg</name>\n    <format type='lvm2'/>\n  </source>\n  <target>\n    <path>/dev/vg</path>\n"
            + "  </target>\n</pool>\n",
        "<pool type='disk'>\n  <name>k</name>\n  \(uuid)\n\(sizes)  <source>\n"
            + "    <device path='/dev/mapper/a' part_separator='no'/>\n    <format type='gpt'/>\n  </source>\n"
            + "  <target>\n    <path>/dev</path>\n  </target>\n</pool>\n",
        "<pool type='iscsi'>\n  <name>i</name>\n  \(uuid)\n\(sizes)  <source>\n    <host name='h'/>\n"
            + "    <device path='d'/>\n    <initiator>\n      <iqn name='q'/>\n    </initiator>\n"
            + "    <auth type='chap' username='u'>\n      <secret usage='x'/>\n    </auth>\n    <vendor name='v'/>\n"
            + "    <product name='p'/>\n  </source>\n  <target>\n    <path>/dev/disk/by-path</path>\n  </target>\n</pool>\n",
        "<pool type='scsi'>\n  <name>s</name>\n  \(uuid)\n\(sizes)  <source>\n    <adapter type='scsi_host'>\n"
            + "      <parentaddr unique_id='5'>\n"
            + "        <address domain='0x0000' bus='0x00' slot='0x1f' function='0x2'/>\n      </parentaddr>\n"
            + "    </adapter>\n  </source>\n  <target>\n    <path>/dev</path>\n  </target>\n</pool>\n",
        "<pool type='mpath'>\n  <name>m</name>\n  \(uuid)\n\(sizes)  <source>\n  </source>\n  <target>\n"
            + "    <path>/dev/mapper</path>\n  </target>\n  <refresh>\n    <volume allocation='capacity'/>\n  </refresh>\n</pool>\n",
    ]

    @Test("A definition of every type is printed as it was read", arguments: documents)
    func roundTrip(_ document: String) throws {
        #expect(try Self.parse(document).format() == document)
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let document: String
        let code: VirtError.Code
        let message: String
        var testDescription: String { message }

        init(_ type: String, _ inner: String, _ code: VirtError.Code, _ message: String) {
            document = "<pool type='\(type)'>\(inner)</pool>"
            (self.code, self.message) = (code, message)
        }
    }

    static let target = "<target><path>/t</path></target>"
    static let refusals: [Refusal] = [
        .init("zz", "", .xmlError, "XML error: Invalid value for attribute 'type' in element 'pool': 'zz'."),
        .init("dir", target, .xmlError, "XML error: missing pool source name element"),
        .init("dir", "<name>a/b</name>" + target, .xmlError, "XML error: name a/b cannot contain '/'"),
        .init("dir", "<name>a</name><uuid>x</uuid>" + target, .xmlError, "XML error: malformed uuid element"),
        .init("dir", "<name>a</name>", .xmlError, "XML error: missing storage pool target path"),
        .init(
            "netfs", "<name>a</name><source><dir path='/x'/></source>" + target, .xmlError,
            "XML error: missing storage pool source host name"),
        .init(
            "netfs", "<name>a</name><source><host name='h'/></source>" + target, .xmlError,
            "XML error: missing storage pool source path"),
        .init(
            "netfs", "<name>a</name><source><host name='h'/><dir path='/x'/><format type='zz'/></source>" + target,
            .configUnsupported, "unsupported configuration: unknown pool format type zz"),
        .init(
            "netfs", "<name>a</name><source><host name='h'/><dir path='/x'/><protocol ver='3,4'/></source>" + target,
            .xmlDetail, "storage pool protocol ver '3,4' must not contain ','"),
        .init("fs", "<name>a</name>" + target, .xmlError, "XML error: missing storage pool source device name"),
        .init("scsi", "<name>a</name>" + target, .xmlError, "XML error: missing storage pool source adapter"),
        .init(
            "scsi", "<name>a</name><source><adapter type='fc_host' wwnn='zz' wwpn='1'/></source>" + target,
            .internalError, "internal error: Malformed wwn: zz"),
        .init(
            "iscsi", "<name>a</name><features><cow state='no'/></features>" + target, .noSupport,
            "this function is not supported by the connection driver: "
                + "cow feature may only be used for 'fs' and 'dir' pools"),
        .init(
            "dir", "<name>a</name><target><path>/t</path><permissions><mode>1777</mode></permissions></target>",
            .xmlError, "XML error: malformed octal mode"),
        .init(
            "dir", "<name>a</name><target><path>/t</path><permissions><owner>bob</owner></permissions></target>",
            .xmlError, "XML error: malformed owner element"),
    ]

    @Test("What a definition lacks is refused with libvirt's code and text", arguments: refusals)
    func refused(_ refusal: Refusal) throws {
        let error = #expect(throws: VirtError.self) { try Self.parse(refusal.document) }
        #expect(error?.code == refusal.code)
        #expect(error?.message == refusal.message)
    }

    @Test("A pool without a UUID gets one of its own")
    func newUUID() throws {
        let text = "<pool type='dir'><name>a</name>\(Self.target)</pool>"
        let (first, second) = (try Self.parse(text), try Self.parse(text))
        #expect(first.uuid != .zero)
        #expect(first.uuid != second.uuid)
    }

    @Test(
        "Paths lose repeated and trailing slashes",
        arguments: [
            ("///var/////lib//", "/var/lib"), ("//a/b", "//a/b"), ("/", "/"), ("//", "//"), ("///", "/"),
            ("rel//x/", "rel/x"),
        ])
    func paths(_ path: String, _ clean: String) {
        #expect(StoragePath.sanitized(path) == clean)
    }

    @Test("The state of an active pool holds its definition and no sizes")
    func state() throws {
        var pool = try Self.parse(Self.documents[1])
        pool.capacity = 5
        let text = try StoragePoolStatus(pool).format()
        #expect(text.hasPrefix("<poolstate>\n  <pool type='fs'>\n    <name>f</name>\n"))
        #expect(text.contains("<capacity unit='bytes'>0</capacity>"))
        var expected = pool
        expected.capacity = 0
        #expect(try StoragePoolStatus.parse(Array(text.utf8)).pool == expected)
    }

    @Test("Capabilities name every type, and those that can be used")
    func capabilities() throws {
        let text = try StoragePoolCapabilities(supported: [.dir]).format()
        for type in StoragePoolType.allCases {
            let answer = type == .dir ? "yes" : "no"
            #expect(text.contains("<pool type='\(type.rawValue)' supported='\(answer)'"))
        }
        #expect(text.contains("<defaultFormat type='raw'/>"))
    }
}
