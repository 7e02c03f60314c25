import Testing
import VirtCore
import VirtModel

@Suite("Storage volume documents")
struct StorageVolumeTests {
    private static func parse(
        _ text: String, _ rule: StorageVolume.CapacityRule = .neededWithoutBacking
    ) throws -> StorageVolume {
        try StorageVolume.parse(Array(text.utf8), rule)
    }

    @Test("A volume is printed as libvirt prints it")
    func format() throws {
        var volume = try Self.parse(
            """
            <volume><name>q</name><capacity unit='MiB'>16</capacity><target><format type='qcow2'/><nocow/>
            <clusterSize unit='KiB'>128</clusterSize><features><extended_l2/><lazy_refcounts/></features></target>
            <backingStore><path>/b</path><format type='raw'/></backingStore></volume>
            """)
        volume.target.path = "/p/q"
        volume.key = "/p/q"
        volume.allocation = 4096
        volume.physical = 8192
        volume.target.permissions = StoragePermissions(mode: 0o600, owner: 0, group: 0)
        volume.target.timestamps = StorageTimestamps(
            access: .init(seconds: 5, nanoseconds: 7), modification: .init(seconds: 6, nanoseconds: 0),
            change: .init(seconds: 7, nanoseconds: 999_999_999))
        #expect(volume.target.noCopyOnWrite)
        #expect(
            try volume.format() == """
                <volume type='file'>
                  <name>q</name>
                  <key>/p/q</key>
                  <capacity unit='bytes'>16777216</capacity>
                  <allocation unit='bytes'>4096</allocation>
                  <physical unit='bytes'>8192</physical>
                  <target>
                    <path>/p/q</path>
                    <format type='qcow2'/>
                    <permissions>
                      <mode>0600</mode>
                      <owner>0</owner>
                      <group>0</group>
                    </permissions>
                    <timestamps>
                      <atime>5.000000007</atime>
                      <mtime>6</mtime>
                      <ctime>7.999999999</ctime>
                      <btime>0</btime>
                    </timestamps>
                    <compat>1.1</compat>
                    <clusterSize unit='B'>131072</clusterSize>
                    <features>
                      <lazy_refcounts/>
                      <extended_l2/>
                    </features>
                  </target>
                  <backingStore>
                    <path>/b</path>
                    <format type='raw'/>
                  </backingStore>
                </volume>

                """)
    }

    @Test("Encryption keeps its secret, cipher and vector generator")
    func encryption() throws {
        let element = """
                <encryption format='luks'>
                  <secret type='passphrase' uuid='f52a81b2-424e-490c-823d-6bd4235bc572'/>
                  <cipher name='serpent' size='256' mode='cbc' hash='sha256'/>
                  <ivgen name='plain64' hash='sha256'/>
                </encryption>

            """
        let volume = try Self.parse(
            "<volume><name>v</name><capacity>1</capacity><target>\n\(element)  </target></volume>")
        #expect(try volume.format().contains(element))
    }

    @Test("An encryption without secrets has its end tag on a line of its own")
    func encryptionWithoutSecrets() throws {
        var volume = try Self.parse("<volume><name>v</name><capacity>1</capacity></volume>")
        volume.target.encryption = StorageVolumeEncryption(.luks)
        #expect(try volume.format().contains("    <encryption format='luks'>\n    </encryption>\n"))
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let inner: String
        let code: VirtError.Code
        let message: String
        var testDescription: String { message }
    }

    private static func target(_ inner: String) -> String {
        "<name>a</name><capacity>5</capacity><target>\(inner)</target>"
    }

    static let refusals: [Refusal] = [
        .init(inner: "<capacity>5</capacity>", code: .xmlError, message: "XML error: missing volume name element"),
        .init(inner: "<name>a</name>", code: .xmlError, message: "XML error: missing capacity element"),
        .init(
            inner: "<name>a</name><capacity>x</capacity>", code: .xmlError,
            message: "XML error: malformed capacity element"),
        .init(
            inner: "<name>a</name><capacity unit='zz'>5</capacity>", code: .invalidArg,
            message: "invalid argument: unknown suffix 'zz'"),
        .init(
            inner: "<name>a</name><capacity unit='EiB'>50</capacity>", code: .overflow,
            message: "numerical overflow: value too large: 50EiB"),
        .init(
            inner: target("<format type='none'/>"), code: .configUnsupported,
            message: "unsupported configuration: unknown volume format type none"),
        .init(
            inner: target("<compat>zz</compat>"), code: .xmlError,
            message: "XML error: forbidden characters in 'compat' attribute"),
        .init(
            inner: target("<features><zz/></features>"), code: .configUnsupported,
            message: "unsupported configuration: unsupported feature zz"),
        .init(
            inner: target("<clusterSize>zz</clusterSize>"), code: .xmlError,
            message: "XML error: Invalid value 'zz' for element or attribute './target/clusterSize'"),
        .init(
            inner: target("<encryption/>"), code: .xmlError, message: "XML error: unknown volume encryption format"),
        .init(
            inner: target("<encryption format='luks'><secret type='zz' usage='x'/></encryption>"),
            code: .configUnsupported,
            message: "unsupported configuration: unknown volume encryption secret type zz"),
    ]

    @Test("What a definition lacks is refused with libvirt's code and text", arguments: refusals)
    func refused(_ refusal: Refusal) {
        let error = #expect(throws: VirtError.self) { try Self.parse("<volume>\(refusal.inner)</volume>") }
        #expect(error?.code == refusal.code)
        #expect(error?.message == refusal.message)
    }

    @Test("A copy and an overlay may leave the capacity out")
    func optionalCapacity() throws {
        #expect(try Self.parse("<volume><name>a</name></volume>", .optional).capacity == nil)
        let overlay = "<volume><name>a</name><backingStore><path>/b</path></backingStore></volume>"
        #expect(try Self.parse(overlay).capacity == nil)
    }
}
