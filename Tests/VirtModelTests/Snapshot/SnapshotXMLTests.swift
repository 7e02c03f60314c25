import Testing
import VirtCore
import VirtModel
import VirtXML

@Suite("Documents of snapshots")
struct SnapshotXMLTests {
    @Test(
        "What a file says is read and printed again",
        arguments: [SnapshotFixture.internalHead, SnapshotFixture.externalHead], [true, false])
    func files(head: String, isActive: Bool) throws {
        let text = SnapshotFixture.document(head, active: isActive)
        let snapshot = try Snapshot.parseFile(text.utf8)
        #expect(snapshot.isActive == isActive)
        #expect(try snapshot.format(.secure) == text)
        #expect(try Snapshot.parseFile(snapshot.format(.secure).utf8) == snapshot)
    }

    @Test("A running guest's snapshot has both definitions and a cookie")
    func cookie() throws {
        let inactive = SnapshotFixture.domain.split(separator: "\n").map { line in
            line.contains("domain")
                ? String(line).split(separator: "domain").joined(separator: "inactiveDomain") : String(line)
        }.joined(separator: "\n")
        let rest = """
            \(inactive)
              <cookie>
                <cpu mode='custom' match='exact' check='full'>
                  <model fallback='forbid'>qemu64</model>
                </cpu>
                <slirpHelper/>
              </cookie>
            </domainsnapshot>

            """
        let text = "<domainsnapshot>\n" + SnapshotFixture.internalHead + SnapshotFixture.domain + rest
        let snapshot = try SnapshotFixture.parse(text, redefines: true)
        #expect(snapshot.inactiveDomain?.name == "guest")
        #expect(snapshot.cookie?.cpu?.model?.name == "qemu64")
        #expect(snapshot.cookie?.hasSlirpHelper == true)
        #expect(try snapshot.format() == text)
    }

    @Test("A file that does not say whether it is current is none")
    func noActive() {
        #expect(throws: VirtError(.internalError, .domainSnapshot, "Could not find 'active' element")) {
            try Snapshot.parseFile(SnapshotFixture.document(SnapshotFixture.internalHead).utf8)
        }
    }

    @Test("Very old files have the domain's UUID alone")
    func oldFile() throws {
        let text = """
            <domainsnapshot>
              <name>old</name>
              <state>shutoff</state>
              <creationTime>1</creationTime>
              <memory snapshot='no'/>
              <domain>
                <uuid>\(SnapshotFixture.uuid)</uuid>
              </domain>
              <active>0</active>
            </domainsnapshot>

            """
        var snapshot = try Snapshot.parseFile(text.utf8)
        #expect(snapshot.domain == nil)
        snapshot.uuid = UUID(SnapshotFixture.uuid)
        #expect(try snapshot.format() == text)
    }

    @Test("A new snapshot's document says nothing of the past, and gets time and name")
    func creation() throws {
        var snapshot = try SnapshotFixture.parse(
            "<domainsnapshot><state>nonsense</state><creationTime>x</creationTime><domain type='?'/></domainsnapshot>")
        #expect(snapshot.state == nil && snapshot.domain == nil && snapshot.creationTime == nil)
        snapshot.complete(now: 1_700_000_000)
        #expect(snapshot.name == "1700000000")
        #expect(snapshot.creationTime == 1_700_000_000)
    }

    @Test("A disk with an image is external by itself")
    func impliedLocation() throws {
        let snapshot = try SnapshotFixture.parse(
            "<domainsnapshot><disks><disk name='a'><driver type='qed'/></disk><disk name='b'><source file='/x'/></disk>"
                + "<disk name='c'/></disks></domainsnapshot>")
        #expect(snapshot.disks.map(\.location) == [.external, .external, nil])
    }

    @Test(
        "What a redefinition must say",
        arguments: [
            ("", VirtError.Code.xmlError), ("<name/>", .xmlError), ("<name>a</name>", .internalError),
            ("<name>a</name><creationTime>soon</creationTime>", .internalError),
            ("<name>a</name><creationTime>1</creationTime>", .xmlError),
            ("<name>a</name><creationTime>1</creationTime><state>nostate</state>", .configUnsupported),
            ("<name>a</name><creationTime>1</creationTime><state>asleep</state>", .configUnsupported),
            (
                "<name>a</name><creationTime>1</creationTime><state>shutoff</state><memory snapshot='internal'/>",
                .xmlError
            ),
        ])
    func redefinitionErrors(body: String, code: VirtError.Code) {
        let error = #expect(throws: VirtError.self) {
            try SnapshotFixture.parse("<domainsnapshot>\(body)</domainsnapshot>", redefines: true)
        }
        #expect(error?.code == code)
    }

    @Test(
        "What no snapshot can have",
        arguments: [
            ("<memory snapshot='manual'/>", VirtError.Code.configUnsupported),
            ("<memory snapshot='external'/>", .xmlError), ("<memory snapshot='no' file='/m'/>", .xmlError),
            ("<memory file='m'/>", .xmlError), ("<memory snapshot='elsewhere'/>", .xmlError),
            ("<disks><disk/></disks>", .internalError), ("<disks><disk name='a' snapshot='x'/></disks>", .xmlError),
            ("<disks><disk name='a' type='volume'/></disks>", .xmlError),
            ("<disks><disk name='a'><driver type='zip'/></disk></disks>", .configUnsupported),
            ("<disks><disk name='a'><source file='b'/></disk></disks>", .xmlError),
        ])
    func errors(body: String, code: VirtError.Code) {
        let error = #expect(throws: VirtError.self) {
            try SnapshotFixture.parse("<domainsnapshot>\(body)</domainsnapshot>")
        }
        #expect(error?.code == code)
    }

    @Test("The memory of a guest that does not run can't be kept")
    func offlineMemory() throws {
        let text = "<domainsnapshot><memory file='/m'/></domainsnapshot>"
        #expect(try SnapshotFixture.parse(text).memory == .init(.external, file: "/m"))
        #expect(throws: VirtError.self) { try SnapshotFixture.parse(text, isOffline: true) }
    }

    @Test("No piece of a document makes the parser trap")
    func pieces() throws {
        let text = SnapshotFixture.document(SnapshotFixture.externalHead, active: true)
        for length in stride(from: 0, to: text.utf8.count, by: 23) {
            #expect(throws: VirtError.self) { try Snapshot.parseFile(text.utf8.prefix(length)) }
        }
        for value in ["", "-1", "99999999999999999999", "\u{1F600}"] {
            for attribute in ["snapshot", "type", "name", "file", "unit"] {
                let changed = text.split(separator: "\n").map { line -> String in
                    guard let range = line.firstRange(of: "\(attribute)='") else { return String(line) }
                    let rest = line[range.upperBound...].drop { $0 != "'" }
                    return line[..<range.upperBound] + value + rest
                }.joined(separator: "\n")
                _ = try? Snapshot.parseFile(changed.utf8)
            }
        }
    }
}
