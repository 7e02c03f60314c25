import Testing
import VirtModel
import VirtXML

/// What a running guest's documents say beyond its definition.
@Suite("Documents of running guests")
struct RunningGuestTests {
    private static let port = "<source network='lan' portgroup='web' portid='151a734e-6592-457b-86a3-05ccae43510f'/>"

    private func guest(_ actual: String, _ clock: String = "") throws -> Domain {
        let device = """
            <interface type='network'><mac address='52:54:00:aa:00:01'/>\(Self.port)\(actual)
            <target dev='vnet0'/><model type='virtio'/></interface>
            """
        return try Domain.parse(DomainFixture.document(device, clock), flags: .status)
    }

    @Test(
        "The live document shows what the interface got from its network, the definition what was asked for",
        arguments: [
            (
                "<actual type='network'><source bridge='virbr3'/></actual>",
                "<interface type='network'>", "bridge='virbr3'/>"
            ),
            (
                "<actual type='bridge'><source bridge='br0' macTableManager='libvirt'/></actual>",
                "<interface type='bridge'>", "bridge='br0' macTableManager='libvirt'/>"
            ),
            (
                "<actual type='direct'><source dev='eth0' mode='vepa'/></actual>",
                "<interface type='direct'>", "dev='eth0' mode='vepa'/>"
            ),
        ])
    func actual(element: String, kind: String, source: String) throws {
        let domain = try guest(element)
        let live = try domain.format()
        #expect(live.contains(kind))
        #expect(live.contains(Self.port.dropLast(2) + " " + source))
        #expect(!live.contains("<actual"))
        let inactive = try domain.format(.inactive)
        #expect(inactive.contains("<interface type='network'>"))
        #expect(inactive.contains("<source network='lan' portgroup='web'/>"))
        let status = try domain.format(.status)
        #expect(status.contains(Self.port))
        #expect(try Domain.parse(status, flags: .status) == domain)
    }

    @Test("Limits and tags of a live interface are those of its port")
    func portOptions() throws {
        let live = try guest(
            """
            <actual type='bridge'><source bridge='br0'/><class id='4'/><vlan><tag id='42'/></vlan>
            <bandwidth><inbound average='100'/></bandwidth><port isolated='yes'/></actual>
            """
        ).format()
        for text in ["<tag id='42'/>", "<inbound average='100'/>", "<port isolated='yes'/>"] {
            #expect(live.contains(text))
        }
        #expect(!live.contains("<class"))
    }

    @Test("Changes of the guest's clock are relative to where it started")
    func clock() throws {
        var domain = try guest("", "<clock offset='variable' adjustment='3600' basis='utc'/>")
        domain.clock.begin()
        #expect(domain.clock.change(by: 10) == 3610)
        #expect(domain.clock.change(by: 20) == 3620)
        #expect(try domain.format().contains("<clock offset='variable' adjustment='3620' basis='utc'/>"))
        let status = try domain.format(.status)
        #expect(status.contains("adjustment0='3600'"))
        var again = try Domain.parse(status, flags: .status)
        #expect(again.clock.change(by: 30) == 3630)
    }

    @Test("A clock that does not vary only tells of its changes")
    func fixedClock() throws {
        var domain = try guest("", "<clock offset='utc'/>")
        domain.clock.begin()
        #expect(domain.clock.change(by: 10) == 10)
        #expect(domain.clock.adjustment == nil)
        var extreme = try guest("", "<clock offset='variable' adjustment='\(Int64.max)'/>")
        extreme.clock.begin()
        #expect(extreme.clock.change(by: 1) == 1)
    }
}
