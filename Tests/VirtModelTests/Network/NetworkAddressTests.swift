import Testing
import VirtCore
import VirtModel

@Suite("Addresses of networks")
struct NetworkAddressTests {
    @Test(
        "Numeric addresses are read and printed as libvirt prints them",
        arguments: [
            ("10.1.2.3", "10.1.2.3"), ("10.1", "10.0.0.1"), ("::1", "::1"), ("FD00:0:0::1", "fd00::1"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ])
    func printing(text: String, printed: String) {
        #expect(IPAddress(parsing: text)?.description == printed)
    }

    @Test("What is no address is refused", arguments: ["", " ", "1.2.3.4.5", "300.1.1.1", "x", "1::2::3", "1.2.3.4 x"])
    func refusing(text: String) {
        #expect(IPAddress(parsing: text) == nil)
    }

    @Test("A prefix cuts an address into network and broadcast")
    func prefixes() throws {
        let address = try #require(IPAddress(parsing: "192.168.130.77"))
        #expect(address.network(prefix: 20)?.description == "192.168.128.0")
        #expect(address.broadcast(prefix: 20)?.description == "192.168.143.255")
        #expect(IPAddress.netmask(prefix: 20, .ipv4)?.description == "255.255.240.0")
        #expect(address.network(prefix: 33) == nil)
        #expect(address.network(prefix: -1) == nil)
        let sixth = try #require(IPAddress(parsing: "fd00::1:2:3"))
        #expect(sixth.network(prefix: 112)?.description == "fd00::1:2:0")
    }

    @Test("Netmasks have leading ones only")
    func netmasks() {
        #expect(IPAddress(parsing: "255.255.255.0")?.netmaskBits == 24)
        #expect(IPAddress(parsing: "0.0.0.0")?.netmaskBits == 0)
        #expect(IPAddress(parsing: "255.255.255.255")?.netmaskBits == 32)
        #expect(IPAddress(parsing: "255.0.255.0")?.netmaskBits == nil)
        #expect(IPAddress(parsing: "255.255.160.0")?.netmaskBits == nil)
    }

    @Test("Without prefix and netmask the address class decides")
    func classes() {
        #expect(IPAddress(parsing: "10.24.10.1")?.classPrefix == 8)
        #expect(IPAddress(parsing: "172.16.0.1")?.classPrefix == 16)
        #expect(IPAddress(parsing: "192.168.1.1")?.classPrefix == 24)
        #expect(IPAddress(parsing: "239.0.0.1")?.classPrefix == nil)
        #expect(IPAddress(parsing: "fd00::1")?.classPrefix == 64)
    }

    @Test("Reverse domains exist where the prefix ends at a label")
    func reverseDomains() {
        #expect(IPAddress(parsing: "10.1.2.3")?.reverseDomain(prefix: 16) == "1.10.in-addr.arpa")
        #expect(IPAddress(parsing: "10.1.2.3")?.reverseDomain(prefix: 12) == nil)
        #expect(IPAddress(parsing: "fd01::1")?.reverseDomain(prefix: 16) == "1.0.d.f.ip6.arpa")
    }

    @Test("Ranges are counted, across the last two bytes")
    func ranges() throws {
        #expect(try range("10.0.0.2", "10.0.1.1").count() == 256)
        #expect(try range("fd00::10", "fd00::1f").count() == 16)
    }

    @Test(
        "Ranges that cannot be are refused with libvirt's words",
        arguments: [
            ("10.0.0.9", "10.0.0.2", "range 10.0.0.9 - 10.0.0.2 is reversed "),
            ("10.0.0.2", "10.9.0.2", "range 10.0.0.2 - 10.9.0.2 is not entirely within network 10.0.0.1/24"),
            (
                "10.0.0.0", "10.0.0.2",
                "start of range 10.0.0.0 - 10.0.0.2 in network 10.0.0.1/24 is the network address"
            ),
            (
                "10.0.0.2", "10.0.0.255",
                "end of range 10.0.0.2 - 10.0.0.255 in network 10.0.0.1/24 is the broadcast address"
            ),
            ("fd00::1", "fd00::2", "mismatch of address family in range fd00::1 - fd00::2 for network 10.0.0.1"),
        ])
    func badRanges(start: String, end: String, text: String) throws {
        let network = try #require(IPAddress(parsing: "10.0.0.1"))
        let error = #expect(throws: VirtError.self) { try range(start, end).count(in: network, prefix: 24) }
        #expect(error?.message == "internal error: \(text)")
    }

    private func range(_ start: String, _ end: String) throws -> AddressRange {
        AddressRange(
            start: try #require(IPAddress(parsing: start)), end: try #require(IPAddress(parsing: end)))
    }

    @Test("MAC addresses have one or two digits per byte")
    func macs() {
        #expect(MACAddress(parsing: "52:54:0:A:b:0c")?.description == "52:54:00:0a:0b:0c")
        #expect(MACAddress(parsing: "52:54:00:0a:0b") == nil)
        #expect(MACAddress(parsing: "52:54:00:0a:0b:0cc") == nil)
        #expect(MACAddress(parsing: "52:54:00:0a:0b:+c") == nil)
        #expect(MACAddress(parsing: "01:00:5e:00:00:01")?.isMulticast == true)
        #expect(MACAddress.random().description.hasPrefix("52:54:00:"))
    }
}
