import Testing
import VirtCore
import VirtModel

@Suite("Updates of networks")
struct NetworkUpdateTests {
    private let network: Network

    init() throws {
        network = try Network.parse(
            """
            <network><name>n</name><forward mode='route' dev='e0'/>
            <dns><host ip='10.0.0.5'><hostname>five</hostname></host><txt name='t' value='v'/>
            <srv service='a' protocol='tcp'/></dns>
            <ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.10' end='10.0.0.20'/>
            <host mac='52:54:00:00:00:01' name='one' ip='10.0.0.11'/></dhcp></ip>
            <ip address='10.1.0.1' prefix='24'/>
            <portgroup name='g' default='yes'/></network>
            """.utf8)
    }

    private enum Command: UInt32 {
        case modify = 1
        case delete, addLast, addFirst
    }

    private func update(
        _ section: Network.UpdateSection, _ command: Command, _ xml: String, parent: Int32 = -1
    ) throws -> Network {
        try network.updated(
            Network.Update(command: command.rawValue, section: section.rawValue, parentIndex: parent, xml: xml))
    }

    private func failure(
        _ section: Network.UpdateSection, _ command: Command, _ xml: String, parent: Int32 = -1
    ) -> String? {
        let error = #expect(throws: VirtError.self) { try update(section, command, xml, parent: parent) }
        return error?.message
    }

    @Test("A kept address is added first or last, changed and removed")
    func hosts() throws {
        let other = "<host mac='52:54:00:00:00:02' name='two' ip='10.0.0.12'/>"
        #expect(try update(.ipDHCPHost, .addFirst, other).addresses[0].hosts.map { $0.name } == ["two", "one"])
        #expect(try update(.ipDHCPHost, .addLast, other).addresses[0].hosts.map { $0.name } == ["one", "two"])
        let moved = "<host mac='52:54:00:00:00:01' name='one' ip='10.0.0.99'/>"
        #expect(try update(.ipDHCPHost, .modify, moved).addresses[0].hosts[0].ip?.description == "10.0.0.99")
        #expect(try update(.ipDHCPHost, .delete, "<host name='one'/>").addresses[0].hosts.isEmpty)
        #expect(try update(.ipDHCPHost, .delete, "<host mac='52:54:0:0:0:1'/>").addresses[0].hosts.isEmpty)
    }

    @Test("Entries that clash or match nothing are refused with libvirt's words")
    func clashes() {
        let prefix = "Requested operation is not valid: "
        #expect(
            failure(.ipDHCPHost, .addLast, "<host mac='52:54:00:00:00:01' name='x' ip='10.0.0.30'/>")
                == prefix + "there is an existing dhcp host entry in network 'n' that matches "
                + "\"<host mac='52:54:00:00:00:01' name='x' ip='10.0.0.30'/>\"")
        #expect(
            failure(.ipDHCPHost, .delete, "<host name='nobody'/>")
                == prefix + "couldn't locate a matching dhcp host entry in network 'n'")
        #expect(
            failure(.ipDHCPHost, .addLast, "<host name='x' ip='10.1.0.30'/>", parent: 1)
                == prefix + "dhcp is supported only for a single IPv4 address on network 'n'")
        #expect(
            failure(.ipDHCPHost, .addLast, "<host name='x' ip='10.1.0.30'/>", parent: 7)
                == prefix + "couldn't update dhcp host entry - no <ip> element found at index 7 in network 'n'")
        #expect(
            failure(.ipDHCPRange, .delete, "<range start='10.0.0.1' end='10.0.0.2'/>")
                == prefix + "couldn't locate a matching dhcp range entry in network 'n'")
        #expect(
            failure(.dnsText, .addLast, "<txt name='t' value='w'/>")
                == prefix + "there is already a DNS TXT record with name 't' in network n")
        #expect(
            failure(.dnsHost, .delete, "<host ip='10.0.0.6'/>")
                == prefix + "couldn't locate a matching DNS HOST record in network n")
        #expect(
            failure(.portGroup, .addLast, "<portgroup name='h' default='yes'/>")
                == prefix + "a different portgroup entry in network 'n' is already set as the default. "
                + "Only one default is allowed.")
    }

    @Test("Ranges, records, groups and devices come and go")
    func others() throws {
        let ranges = try update(.ipDHCPRange, .addLast, "<range start='10.0.0.30' end='10.0.0.40'/>")
        #expect(ranges.addresses[0].ranges.count == 2)
        #expect(try update(.dnsHost, .delete, "<host><hostname>five</hostname></host>").dns.hosts.isEmpty)
        #expect(try update(.dnsText, .delete, "<txt name='t'/>").dns.texts.isEmpty)
        #expect(try update(.dnsService, .delete, "<srv service='a'/>").dns.services.isEmpty)
        #expect(try update(.dnsService, .addLast, "<srv service='b' protocol='udp'/>").dns.services.count == 2)
        #expect(try !update(.portGroup, .modify, "<portgroup name='g'/>").portGroups[0].isDefault)
        #expect(try update(.forwardInterface, .delete, "<interface dev='e0'/>").forward?.devices.isEmpty == true)
    }

    @Test("What cannot be updated says so")
    func unsupported() {
        let prefix = "Operation not supported: "
        #expect(failure(.bridge, .addLast, "<bridge/>") == prefix + "can't update 'bridge' section of network 'n'")
        #expect(failure(.forwardPF, .addLast, "<pf/>") == prefix + "can't update 'forward pf' section of network 'n'")
        #expect(
            failure(.ipDHCPRange, .modify, "<range/>")
                == prefix + "dhcp ranges cannot be modified, only added or deleted")
        #expect(
            failure(.dnsText, .addLast, "<x/>")
                == "XML error: unexpected element <x>, expecting <txt>, while updating network 'n'")
        #expect(failure(.none, .addLast, "<x/>") == prefix + "can't update unrecognized section of network")
    }
}
