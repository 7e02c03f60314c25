import Testing
import VirtCore
import VirtModel

@Suite("State files of networks, and ports")
struct NetworkStateTests {
    private static let status = """
        <networkstatus>
          <class_id bitmap='0-3,7'/>
          <floor sum='2500'/>
          <taint flag='hook-script'/>
          <network>
            <name>n</name>
            <uuid>4a1e1d0c-7f0e-4b57-9f4e-0f9d6c2a3b11</uuid>
            <bridge name='virbr3' stp='on' delay='0'/>
            <mac address='52:54:00:17:3f:37'/>
          </network>
        </networkstatus>

        """

    @Test("A state file prints as it was read")
    func status() throws {
        let status = try NetworkStatus.parse(Self.status.utf8)
        #expect(status.classIDs == [0, 1, 2, 3, 7])
        #expect(status.floorSum == 2500)
        #expect(status.isTaintedByHook)
        #expect(status.nextClassID == 4)
        #expect(try status.format() == Self.status)
    }

    @Test("A bare definition is taken for a state file, as very old versions wrote")
    func bare() throws {
        let status = try NetworkStatus.parse("<network><name>old</name></network>".utf8)
        #expect(status.network.name == "old")
        #expect(status.classIDText == "0-2")
    }

    @Test("Malformed bitmaps are errors, not traps", arguments: ["x", "3-1", "0-99999999", "-", "1-2-3", "4294967296"])
    func bitmaps(text: String) {
        #expect(NetworkStatus.classIDs(parsing: text) == nil)
    }

    private static let plugs = [
        "", "<plug type='network' bridge='virbr0'/>", "<plug type='bridge' bridge='br0' macTableManager='libvirt'/>",
        "<plug type='direct' dev='e1' mode='private'/>",
        "<plug type='hostdev-pci' managed='yes'>\n    <driver name='vfio'/>\n"
            + "    <address domain='0x0001' bus='0x02' slot='0x03' function='0x4'/>\n  </plug>",
    ]

    @Test("Ports print as they were read, whatever they are plugged into", arguments: plugs)
    func ports(plug: String) throws {
        let text = """
            <networkport>
              <uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>
              <owner>
                <name>guest</name>
                <uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid>
              </owner>
              <group>web</group>
              <mac address='52:54:00:7b:35:93'/>
              <bandwidth classID='1729'>
                <inbound average='1000' peak='4000' floor='2000' burst='1024'/>
              </bandwidth>
              <port isolated='yes'/>
              <rxfilters trustGuest='yes'/>\(plug.isEmpty ? "" : "\n  " + plug)
            </networkport>

            """
        #expect(try NetworkPort.parse(text.utf8).format() == text)
    }

    @Test("An average of nought is printed where a peak or burst needs one")
    func averageOfNought() throws {
        let text = """
            <networkport>
              <uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>
              <owner>
                <name>guest</name>
                <uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid>
              </owner>
              <mac address='52:54:00:7b:35:93'/>
              <bandwidth>
                <inbound average='0' peak='20' floor='5' burst='3'/>
              </bandwidth>
            </networkport>

            """
        #expect(try NetworkPort.parse(text.utf8).format() == text)
    }

    @Test(
        "Ports without their parts are refused",
        arguments: [
            ("", "network port has no uuid"), ("<uuid>x</uuid>", "Unable to parse UUID 'x'"),
            ("<uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>", "network port has no owner name"),
        ])
    func badPorts(body: String, text: String) {
        let error = #expect(throws: VirtError.self) {
            try NetworkPort.parse("<networkport>\(body)</networkport>".utf8)
        }
        #expect(error?.message == "internal error: \(text)")
    }

    @Test("Virtual ports of interface, network and group are joined, and contradictions refused")
    func merging() throws {
        var interface = VirtualPort()
        interface.managerID = 11
        var network = VirtualPort()
        network.kind = .qbg
        network.typeID = 5
        var group = VirtualPort()
        group.typeIDVersion = 2
        var merged = try #require(try VirtualPort.merge(interface: interface, network: network, portGroup: group))
        #expect(merged.kind == .qbg)
        #expect(merged.managerID == 11)
        #expect(merged.typeIDVersion == 2)
        try merged.complete()
        #expect(merged.instanceID != nil)
        group.kind = .openVSwitch
        let error = #expect(throws: VirtError.self) {
            try VirtualPort.merge(interface: nil, network: network, portGroup: group)
        }
        #expect(
            error?.message
                == "XML error: attempt to merge virtualports with mismatched types (802.1Qbg and openvswitch)")
        #expect(try VirtualPort.merge(interface: interface, network: nil, portGroup: nil) == nil)
    }
}
