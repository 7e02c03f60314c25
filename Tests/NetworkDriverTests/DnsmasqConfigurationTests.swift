import Testing
import VirtCore
import VirtModel

@testable import NetworkDriver

@Suite("Files for dnsmasq")
struct DnsmasqConfigurationTests {
    private let files = DnsmasqConfiguration.Files(
        configuration: "/d/n.conf", processID: "/s/n.pid", hosts: "/d/n.hostsfile", additionalHosts: "/d/n.addnhosts")

    /// The lines after the comment.
    private func lines(_ body: String) throws -> [String] {
        let configuration = try #require(try DnsmasqConfiguration(try network(body), files))
        return configuration.configuration.split(separator: "\n").map { String($0) }.filter { !$0.hasPrefix("#") }
    }

    @Test("A network with everything gets the lines in libvirt's order")
    func everything() throws {
        let body = """
            <forward mode='nat'/><bridge name='vbn6'/><mtu size='1450'/><domain name='ex.test' localOnly='yes'/>
            <dns forwardPlainNames='no'><forwarder addr='9.9.9.9'/><forwarder domain='corp.test' addr='10.1.1.1'/>
            <forwarder domain='no.test'/><txt name='t1' value='v1'/>
            <srv service='sip' protocol='tcp' domain='ex.test' target='h1.ex.test' port='5060' priority='1' weight='2'/>
            </dns><ip address='192.168.77.1' netmask='255.255.255.0' localPtr='yes'><tftp root='/srv/tftp'/><dhcp>
            <range start='192.168.77.10' end='192.168.77.20'><lease expiry='2' unit='hours'/></range>
            <bootp file='pxe.0' server='192.168.77.1'/></dhcp></ip>
            <ip family='ipv6' address='fd77::1' prefix='64'><dhcp><range start='fd77::10' end='fd77::20'/></dhcp></ip>
            """
        #expect(
            try lines(body) == [
                "strict-order", "server=9.9.9.9", "server=/corp.test/10.1.1.1", "server=/no.test/#", "no-resolv",
                "local=/ex.test/", "domain=ex.test", "expand-hosts", "local=/77.168.192.in-addr.arpa/",
                "domain-needed", "local=//", "pid-file=/s/n.pid", "except-interface=lo", "bind-dynamic",
                "interface=vbn6", "txt-record=t1,v1", "srv-host=_sip._tcp.ex.test,h1.ex.test,5060,1,2",
                "dhcp-range=192.168.77.10,192.168.77.20,255.255.255.0,2h", "dhcp-no-override",
                "dhcp-authoritative", "enable-tftp", "tftp-root=/srv/tftp", "dhcp-boot=pxe.0,,192.168.77.1",
                "dhcp-range=fd77::10,fd77::20,64", "dhcp-lease-max=28", "dhcp-hostsfile=/d/n.hostsfile",
                "addn-hosts=/d/n.addnhosts", "dhcp-option=option:mtu,1450", "enable-ra",
            ])
    }

    @Test("A name with quotation marks gives dnsmasq paths without")
    func quotes() {
        let files = NetworkPaths.test.dnsmasqFiles("a\"b'&<c>")
        #expect(files.configuration == "/d/a\"b'&<c>.conf")
        #expect(files.hosts == "/d/a&quot;b&apos;&amp;&lt;c&gt;.hostsfile")
        #expect(files.additionalHosts == "/d/a&quot;b&apos;&amp;&lt;c&gt;.addnhosts")
        #expect(files.processID == "/nonexistent/s/a&quot;b&apos;&amp;&lt;c&gt;.pid")
    }

    @Test("An isolated network announces no router and asks nobody")
    func isolated() throws {
        let all = try lines("<bridge name='b'/><ip address='10.0.0.1' prefix='24'/>")
        #expect(all.contains("dhcp-option=3"))
        #expect(all.contains("no-resolv"))
        #expect(all.contains("ra-param=*,0,0"))
    }

    @Test("Kept addresses alone make the network static")
    func statics() throws {
        let body = """
            <forward/><bridge name='b'/><ip address='10.0.0.1' prefix='24'><dhcp>
            <host mac='52:54:00:00:00:01' ip='10.0.0.2'/></dhcp></ip>
            <ip family='ipv6' address='fd00::1' prefix='64'/>
            """
        let all = try lines(body)
        #expect(all.contains("dhcp-range=10.0.0.1,static"))
        #expect(!all.contains { $0.hasPrefix("dhcp-lease-max") })
        #expect(all.last == "dhcp-range=fd00::1,ra-only")
    }

    @Test("SRV records leave out what is not given, and fill in what stands before")
    func services() throws {
        let body = """
            <forward/><bridge name='b'/><dns><srv service='a' protocol='tcp'/>
            <srv service='b' protocol='udp' target='t'/><srv service='c' protocol='udp' target='t' weight='5'/>
            <srv service='d' protocol='udp' target='.'/></dns><ip address='10.0.0.1' prefix='24'/>
            """
        let records = try lines(body).filter { $0.hasPrefix("srv-host") }
        #expect(records == ["srv-host=_a._tcp", "srv-host=_b._udp,t", "srv-host=_c._udp,t,1,0,5", "srv-host=_d._udp"])
    }

    @Test("Hosts files have a line per guest and per address")
    func hosts() throws {
        let network = try network(
            """
            <dns><host ip='10.0.0.5'><hostname>h1</hostname><hostname>h2</hostname></host>
            <host ip='10.0.0.6'><hostname>h3</hostname></host></dns>
            <ip address='10.0.0.1' prefix='24'><dhcp><host mac='52:54:00:00:00:05' name='h1' ip='10.0.0.5'/>
            <host mac='52:54:00:00:00:06' ip='10.0.0.6'><lease expiry='0'/></host>
            <host name='h7' ip='10.0.0.7'/></dhcp></ip>
            <ip family='ipv6' address='fd00::1' prefix='64'><dhcp><host id='0:4:aa' name='h6' ip='fd00::15'/>
            <host name='p' ip='fd00::16'/></dhcp></ip>
            """)
        #expect(
            DnsmasqConfiguration.hosts(network)
                == "52:54:00:00:00:05,10.0.0.5,h1\n52:54:00:00:00:06,10.0.0.6,infinite\nh7,10.0.0.7\n"
                + "id:0:4:aa,h6,[fd00::15]\np,[fd00::16]\n")
        #expect(DnsmasqConfiguration.additionalHosts(network) == "10.0.0.5\th1\th2\t\n10.0.0.6\th3\t\n")
    }

    @Test("Line breaks in values make no lines")
    func lineBreaks() throws {
        var network = try network("<forward/><bridge name='b'/><ip address='10.0.0.1' prefix='24'/>")
        network.dnsmasqOptions = ["a\nb"]
        let configuration = try #require(try DnsmasqConfiguration(network, files))
        #expect(configuration.configuration.hasSuffix("\na b\n"))
    }

    @Test("Without addresses, and without names and leases, there is no dnsmasq")
    func none() throws {
        #expect(try DnsmasqConfiguration(try network("<bridge name='b'/>"), files) == nil)
        let silent = try network("<dns enable='no'/><ip address='10.0.0.1' prefix='24'/>")
        #expect(try DnsmasqConfiguration(silent, files) == nil)
    }

    @Test("A reverse domain that does not end at a label is refused")
    func reverse() throws {
        let network = try network("<bridge name='b'/><ip address='10.0.0.1' prefix='25' localPtr='yes'/>")
        let error = #expect(throws: VirtError.self) { try DnsmasqConfiguration(network, files) }
        #expect(error?.code == .configUnsupported)
    }
}
