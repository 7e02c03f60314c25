import Testing
import VirtCore
import VirtModel

@testable import NetworkDriver

@Suite("Links and routes")
struct BridgeTests {
    @Test("Netlink attributes are aligned, nested ones within their parent")
    func attributes() {
        var message = NetlinkMessage(UInt32(0x0403_0201))
        message.add(3, text: "ab")
        message.nest(18) { $0.add(1, number: UInt8(7)) }
        #expect(
            message.bytes == [
                1, 2, 3, 4,  // the fixed header
                7, 0, 3, 0, 0x61, 0x62, 0, 0,  // length 7, type 3, "ab", NUL, padding
                12, 0, 18, 0,  // a nest of 8 bytes
                5, 0, 1, 0, 7, 0, 0, 0,
            ])
    }

    @Test(
        "Names that are no device's are refused",
        arguments: ["", ".", "..", "a/b", "a b", "a\n", "a:1", "0123456789abcdef"])
    func names(name: String) {
        #expect(!Link.isValidName(name))
    }

    @Test("Usual names are taken", arguments: ["virbr0", "br-1.2", "012345678901234"])
    func goodNames(name: String) {
        #expect(Link.isValidName(name))
    }

    private let table = RouteTable(
        """
        Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
        eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
        virbr0\t007AA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
        short\tline
        """)

    @Test("A network whose addresses have a route already is refused")
    func collision() throws {
        let taken = try network("<ip address='192.168.122.1' netmask='255.255.255.0'/>")
        let error = #expect(throws: VirtError.self) { try table.check(taken) }
        #expect(error?.message == "internal error: Network is already in use by interface virbr0")
        try table.check(try network("<ip address='192.168.122.1' prefix='25'/>"))
        try table.check(try network("<ip address='192.168.123.1' prefix='24'/>"))
    }

    @Test("A route that the host has already is refused")
    func routes() throws {
        let body = "<ip address='10.0.0.1' prefix='24'/><route address='192.168.122.0' prefix='24' gateway='10.0.0.2'/>"
        let error = #expect(throws: VirtError.self) { try table.check(try network(body)) }
        #expect(
            error?.message
                == "internal error: Route address '192.168.122.0' conflicts with IP address for 'virbr0'")
    }

    @Test("A route's metric is 1 where none is given")
    func metric() throws {
        let route = "<route address='10.1.0.0' prefix='16' gateway='10.0.0.2'"
        let lan = try network("<ip address='10.0.0.1' prefix='24'/>\(route)/>\(route) metric='7'/>")
        #expect(lan.routes.map(\.effectiveMetric) == [1, 7])
    }

    @Test("Routes from router announcements are told from others")
    func announced() {
        let none = String(repeating: "0", count: 32)
        func line(_ flags: String, _ device: String) -> String {
            "\(none) 00 \(none) 00 \(none) 00000400 00000001 00000000 \(flags) \(device)\n"
        }
        let text = line("00200200", "lo") + line("00450003", "eth0") + line("00040001", "eth0") + line("00000001", "e1")
        #expect(RouteTable.announced(text) == ["eth0"])
    }

    @Test("PCI addresses are read from sysfs names")
    func sysfs() {
        #expect(Network.PCIAddress(sysfs: "0000:03:1f.7")?.description == "0000:03:1f.7")
        #expect(Network.PCIAddress(sysfs: "03:00.0") == nil)
        #expect(Network.PCIAddress(sysfs: "0000:zz:00.0") == nil)
    }
}
