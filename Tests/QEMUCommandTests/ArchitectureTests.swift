import QEMUMonitor
import Testing
import VirtCore
import VirtModel

@testable import QEMUCommand

@Suite struct ArchitectureTests {
    @Test(arguments: [
        ("i386", "i686"), ("arm", "armv7l"), ("or32", "openrisc"), ("x86_64", "x86_64"), ("sh4eb", "sh4eb"),
    ])
    func `QEMU's names are translated`(target: String, name: String) {
        #expect(Architecture.name(ofTarget: target) == name)
    }

    @Test(arguments: ["avr", "hppa", "loongarch64", "nios2", "or1k", "rx", "tricore"])
    func `targets that libvirt doesn't know have no name`(target: String) {
        #expect(Architecture.name(ofTarget: target) == nil)
    }

    @Test func `an emulator runs its own family's architectures, but not all of them`() {
        #expect(Architecture.areRelated("x86_64", "i686"))
        #expect(Architecture.areRelated("ppc64", "ppcemb"))
        #expect(!Architecture.areRelated("aarch64", "x86_64"))
        #expect(Architecture.isRun("i686", byEmulatorOf: "x86_64"))
        #expect(!Architecture.isRun("x86_64", byEmulatorOf: "i686"))
        #expect(Architecture.isRun("armv6l", byEmulatorOf: "armv7l"))
        #expect(!Architecture.isRun("armv6l", byEmulatorOf: "aarch64"))
        #expect(Architecture.isRun("ppc64le", byEmulatorOf: "ppc64"))
    }

    private let machines: [JSONValue] = [
        ["name": "virt-7.2", "alias": "virt", "cpu-max": 512], ["name": "none", "cpu-max": 1],
        ["name": "integratorcp", "cpu-max": 1], ["name": "spike", "is-default": true, "cpu-max": 8],
    ]

    @Test(arguments: [
        ("armv7l", ["integratorcp", "virt-7.2", "spike"]), ("riscv64", ["spike", "virt-7.2", "integratorcp"]),
        ("s390", ["spike", "virt-7.2", "integratorcp"]),
    ])
    func `libvirt's default machine type comes first, else QEMU's`(architecture: String, names: [String]) throws {
        #expect(try CapabilityProbe.machines(machines, architecture).map(\.name) == names)
    }

    @Test func `without any default the order is QEMU's`() throws {
        let plain: [JSONValue] = [["name": "b", "cpu-max": 1], ["name": "a", "cpu-max": 1]]
        #expect(try CapabilityProbe.machines(plain, "sparc").map(\.name) == ["b", "a"])
    }

    @Test func `an alias without a type has none`() throws {
        let entries: [JSONValue] = [["name": "e500", "typename": ""], ["name": "g4", "typename": "g4-cpu"]]
        let cpus = try CapabilityProbe.cpus(entries, "ppc")
        #expect(cpus.map(\.typeName) == [nil, "g4-cpu"])
    }

    @Test func `processors of pSeries have the names of libvirt's map`() throws {
        let entries: [JSONValue] = [["name": "power9"], ["name": "power9_v2.0"], ["name": "970fx"]]
        #expect(try CapabilityProbe.cpus(entries, "ppc64").map(\.name) == ["POWER9", "power9_v2.0", "970fx"])
        #expect(try CapabilityProbe.cpus(entries, "ppc").map(\.name) == ["power9", "power9_v2.0", "970fx"])
    }

    @Test func `a model that QEMU has not got is refused where nothing can take its place`() throws {
        var facts = QEMUCapabilities()
        facts.architecture = "aarch64"
        facts.tcg.cpus = [.init(name: "cortex-a57")]
        func check(_ name: String, _ fallback: CPU.Model.Fallback) throws {
            var domain = Domain()
            domain.cpu = CPU()
            domain.cpu?.model = CPU.Model(name: name, fallback: fallback)
            try domain.checkProcessorModel(facts, kvm: false)
        }
        try check("cortex-a57", .forbid)
        #expect(throws: VirtError(.noSupport, .cpu, "cannot translate CPU model Nehalem to a supported model")) {
            try check("Nehalem", .allow)
        }
        #expect(throws: VirtError(.configUnsupported, .cpu, "CPU model Nehalem is not supported by hypervisor")) {
            try check("Nehalem", .forbid)
        }
        facts.architecture = "x86_64"
        try check("Nehalem", .forbid)
    }

    private func document(
        _ architecture: String, flags: Set<QEMUFlag>, _ host: DomainCapabilityFacts.HostSupport = .init()
    ) -> DomainCapabilities {
        var facts = QEMUCapabilities()
        facts.architecture = architecture
        facts.flags = flags
        facts.tcg.cpus = [QEMUCapabilities.CPU(name: "max")]
        return DomainCapabilityFacts(
            facts, emulator: "/qemu", architecture: architecture, machine: .init(name: "m"), kvm: false, host: host,
            map: nil
        ).document
    }

    private func values(_ document: DomainCapabilities, _ device: String, _ name: String) -> [String]? {
        document.devices.first { $0.name == device }?.enums.first { $0.name == name }?.values
    }

    @Test func `machines without PCI still have SCSI and entropy`() {
        let document = document("cris", flags: [.rngRandom])
        #expect(values(document, "disk", "bus") == ["fdc", "scsi", "virtio"])
        #expect(values(document, "hostdev", "subsysType") == ["pci", "scsi"])
        #expect(values(document, "rng", "model") == [])
        #expect(values(document, "rng", "backendModel") == ["random"])
    }

    @Test(arguments: [("ppc", false), ("m68k", false), ("armv7l", true), ("s390x", true)])
    func `processor models are offered where libvirt has a choice of them`(architecture: String, isOffered: Bool) {
        let modes = document(architecture, flags: []).cpu.modes
        #expect(modes.first { $0.name == "custom" }?.supported == isOffered)
    }

    @Test func `the TPM emulator is offered with the versions that it has`() {
        let flags: Set<QEMUFlag> = [.tpmTis, .tpmPassthrough, .tpmEmulator]
        var host = DomainCapabilityFacts.HostSupport()
        #expect(values(document("x86_64", flags: flags, host), "tpm", "backendModel") == ["passthrough"])
        host.hasTPMEmulator = true
        let bare = document("x86_64", flags: flags, host)
        #expect(values(bare, "tpm", "backendModel") == ["passthrough", "emulator", "external"])
        #expect(values(bare, "tpm", "backendVersion") == nil)
        host.tpmVersions = ["2.0"]
        #expect(values(document("x86_64", flags: flags, host), "tpm", "backendVersion") == ["2.0"])
    }

    @Test func `POWER's hosts have in common what their names say`() throws {
        let files = [
            "index.xml": "<cpus><arch name='ppc64'><include filename='m.xml'/></arch></cpus>",
            "m.xml": "<cpus><vendor name='IBM'/><model name='POWER8'><vendor name='IBM'/></model></cpus>",
        ]
        let map = try CPUMap(family: "ppc64") { Array((files[$0] ?? "").utf8) }
        var cpu = CPU()
        cpu.model = CPU.Model(name: "POWER8", fallback: .allow)
        #expect(try map.baselineByName([cpu, cpu]).model?.fallback == .forbid)
        var other = cpu
        other.vendor = "Freescale"
        #expect(throws: VirtError.self) { try map.baselineByName([cpu, other]) }
        other.model?.name = "POWER9"
        #expect(throws: VirtError.self) { try map.baselineByName([cpu, other]) }
        #expect(throws: VirtError.self) { try map.baselineByName([other]) }
        // A processor is looked at whole before the next.
        var stranger = cpu
        stranger.vendor = "Freescale"
        #expect(throws: VirtError(.operationFailed, .cpu, "Unknown CPU vendor Freescale")) {
            try map.baselineByName([stranger, other])
        }
    }
}
