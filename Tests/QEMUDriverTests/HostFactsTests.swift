import Glibc
import QEMUCommand
import Testing
import VirtCore
import VirtOS

@testable import QEMUDriver

@Suite struct HostFactsTests {
    private let host = HostFacts(
        selfTime: 50, installed: InstalledLibvirt(times: [10, 12], selfTime: 12), modulesTime: 3, kvmUsable: false,
        kernelVersion: "6.1 #1", microcodeVersion: 1, cpuSignature: "AMD", supportsNesting: false,
        supportsSecureGuest: false, architecture: "x86_64")

    private func signed(_ architecture: String = "x86_64", kvm: Bool = false, by host: HostFacts) -> QEMUCapabilities {
        var facts = QEMUCapabilities()
        facts.architecture = architecture
        if kvm { facts.flags.insert(.kvm) }
        host.sign(&facts, binaryTime: 7)
        return facts
    }

    @Test func `facts are signed for the C daemon and for ourselves`() {
        let facts = signed(by: host)
        #expect(facts.origin.selfTime == 12)
        #expect(facts.origin.proberTime == 50)
        #expect(host.confirm(facts, binaryTime: 7))
        #expect(!host.confirm(facts, binaryTime: 8))
        var alone = host
        alone.installed = InstalledLibvirt()
        #expect(signed(by: alone).origin.selfTime == 50)
    }

    @Test func `an upgraded prober doesn't trust its predecessor`() {
        var upgraded = host
        upgraded.selfTime = 51
        #expect(!upgraded.confirm(signed(by: host), binaryTime: 7))
    }

    @Test(arguments: [(Int64(10), true), (12, true), (11, false)])
    func `C libvirt's facts count while its daemon is installed`(time: Int64, counts: Bool) {
        var facts = signed(by: host)
        facts.origin.proberTime = nil
        facts.origin.selfTime = time
        #expect(host.confirm(facts, binaryTime: 7) == counts)
    }

    @Test func `QEMU's modules and libvirt's version count`() {
        var facts = signed(by: host)
        facts.origin.modulesTime = 4
        #expect(!host.confirm(facts, binaryTime: 7))
        var without = host
        without.modulesTime = nil
        #expect(without.confirm(facts, binaryTime: 7))
        facts = signed(by: host)
        facts.origin.selfVersion += 1
        #expect(!host.confirm(facts, binaryTime: 7))
    }

    @Test func `KVM counts for the host's own architectures only`() {
        var usable = host
        usable.kvmUsable = true
        #expect(!usable.confirm(signed(by: host), binaryTime: 7))
        #expect(!usable.confirm(signed("i686", by: host), binaryTime: 7))
        #expect(usable.confirm(signed("riscv64", by: host), binaryTime: 7))
        let facts = signed(kvm: true, by: usable)
        #expect(usable.confirm(facts, binaryTime: 7))
        #expect(!host.confirm(facts, binaryTime: 7))
        for change in [1, 2] {
            var other = usable
            if change == 1 { other.kernelVersion += "x" } else { other.cpuSignature = "Intel" }
            #expect(!other.confirm(facts, binaryTime: 7))
        }
        var updated = usable
        updated.microcodeVersion = 2
        #expect(!updated.confirm(facts, binaryTime: 7))
    }

    @Test func `C's daemon and the modules it may have loaded are found`() throws {
        let root = "/tmp/virtswarm-libvirt-\(getpid())"
        defer { try? FileSystem.removeTree(root) }
        try FileSystem.makeDirectories(root + "/lib/connection-driver")
        for name in ["libvirtd", "lib/connection-driver/libvirt_driver_qemu.so", "lib/connection-driver/README"] {
            try FileSystem.atomicWrite("\(root)/\(name)", [1], mode: 0o600)
        }
        let daemon = try #require(HostFacts.changeTime(root + "/libvirtd"))
        let module = try #require(HostFacts.changeTime(root + "/lib/connection-driver/libvirt_driver_qemu.so"))
        let found = InstalledLibvirt.find(daemons: [root + "/libvirtd"], libraries: [root + "/lib", root + "/none"])
        #expect(found.selfTime == max(daemon, module))
        #expect(found.times.contains(max(daemon, module)))
        #expect(InstalledLibvirt.find(daemons: [root + "/none"], libraries: []) == InstalledLibvirt())
    }

    @Test func `swtpm says which versions it has`() {
        let text = #"{ "type": "swtpm_setup", "features": [ "tpm-2.0", "cmdarg-keyfile-fd" ] }"#
        #expect(SoftwareTPM(features: SoftwareTPM.features(Array(text.utf8))).versions == ["2.0"])
        #expect(SoftwareTPM.features(Array("usage:".utf8)) == [])
    }
}

@Suite struct CapabilityHelperTests {
    @Test(arguments: [
        (Int32(1), VirtError.Code.internalError, "Unknown QEMU arch avr"),
        (2, .internalError, "Failed to start QEMU binary /q for probing: bad option"), (3, .systemError, "monitor"),
        (9, .internalError, "exit status 9"),
    ])
    func `a failed probe says why`(status: Int32, code: VirtError.Code, text: String) throws {
        let output: ChildProcess.Output = (
            .exited(status), Array("Unknown QEMU arch avr".utf8), Array("bad option".utf8)
        )
        let error = try #require(throws: VirtError.self) { try CapabilityHelper.facts("/q", output) }
        #expect(error.code == code)
        #expect(error.message.contains(text))
    }
}

@Suite struct CPUDocumentTests {
    @Test func `an architecture makes a host's document`() throws {
        #expect(try CPUDocument("<cpu><arch>x86_64</arch><model>a</model></cpu>").kind == .host)
        #expect(try CPUDocument("<cpu><model>a</model></cpu>").kind == .guest)
        #expect(try CPUDocument("<cpu mode='host-model'/>").kind == .guest)
    }

    @Test(arguments: [
        ("<foo/>", VirtError.Code.xmlError), ("<cpu match='exact'><arch>x86_64</arch></cpu>", .xmlError),
        ("<cpu mode='custom'><arch>x86_64</arch></cpu>", .configUnsupported),
        ("<cpu><arch>foo</arch><model>a</model></cpu>", .configUnsupported),
        ("<cpu><arch>x86_64</arch><feature name='a'/></cpu>", .xmlError),
        ("<cpu><vendor>AMD</vendor></cpu>", .xmlError), ("<cpu><feature name='a'/></cpu>", .xmlError),
    ])
    func `documents that contradict themselves are refused`(xml: String, code: VirtError.Code) throws {
        let error = try #require(throws: VirtError.self) { try CPUDocument(xml) }
        #expect(error.code == code)
    }

    @Test func `a baseline needs processors with models`() throws {
        #expect(throws: VirtError.self) { try [CPUDocument]([]) }
        #expect(throws: VirtError.self) { try [CPUDocument](["<cpu/>"]).cpus() }
        #expect(throws: VirtError.self) { try [CPUDocument](["<cpu><model>a</model></cpu>"], as: .host) }
        #expect(try [CPUDocument](["<cpu><model>a</model></cpu>"]).cpus().count == 1)
    }
}
