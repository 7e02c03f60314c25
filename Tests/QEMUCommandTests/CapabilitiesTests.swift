import QEMUMonitor
import Testing
import VirtCore
import VirtModel

@testable import QEMUCommand

@Suite struct CapabilitiesTests {
    /// A QEMU that answers from a table.
    private func ask(_ answers: [String: JSONValue]) -> CapabilityProbe.Ask {
        { commands in
            commands.map { command in
                let type = command.arguments?["typename"]?.string
                guard let answer = answers[type.map { "\(command.name) \($0)" } ?? command.name] else {
                    let kind = type == nil ? "CommandNotFound" : "DeviceNotFound"
                    return .failure(QMPFailure(command: command.name, errorClass: kind, text: "none"))
                }
                return .success(answer)
            }
        }
    }

    private let answers: [String: JSONValue] = [
        "query-version": ["qemu": ["major": 7, "minor": 2, "micro": 22], "package": "Debian"],
        "query-target": ["arch": "x86_64"],
        "query-commands": [["name": "query-vnc"], ["name": "set-action"]],
        "query-qmp-schema": [],
        "query-migrate-capabilities": [],
        "query-kvm": ["present": true, "enabled": false],
        "qom-list-types": [["name": "virtio-rng-ccw"], ["name": "tcg-accel"], ["name": "qxl"]],
        "device-list-properties virtio-blk-pci": [["name": "scsi", "default-value": false], ["name": "queue-size"]],
        "qom-list-properties none-machine": [["name": "confidential-guest-support"]],
        "query-machines": [
            ["name": "none", "cpu-max": 1], ["name": "pc-q35-7.2", "alias": "q35", "cpu-max": 288],
            ["name": "pc-i440fx-7.2", "alias": "pc", "is-default": true, "hotpluggable-cpus": true, "cpu-max": 255],
        ],
        "query-cpu-definitions": [["name": "max"], ["name": "EPYC", "unavailable-features": ["lm", "nx"]]],
        "query-tpm-models": ["tpm-crb"],
        "query-command-line-options": [["option": "sandbox", "parameters": []]],
    ]

    @Test func `facts are read from answers`() async throws {
        let facts = try await CapabilityProbe.run(ask: ask(answers))
        #expect(facts.version == 7_002_022)
        #expect(facts.architecture == "x86_64")
        let expected: Set<QEMUFlag> = [
            .noAcpi, .noHpet, .vnc, .setAction, .virtioRng, .tcg, .qxl, .virtioBlkPciScsi, .virtioBlkQueueSize,
            .virtioBlkPciScsiDefaultDisabled, .confidentialGuestSupport, .cpuMax, .tpmCrb, .seccompSandbox,
        ]
        #expect(facts.flags == expected)
        #expect(facts.tcg.machines.map(\.name) == ["pc-i440fx-7.2", "pc-q35-7.2"])
        #expect(facts.canonicalMachine("q35", kvm: false) == "pc-q35-7.2")
        #expect(facts.preferredMachine(kvm: false) == "pc-i440fx-7.2")
        #expect(facts.tcg.cpus[0].usable == nil)
        #expect(facts.tcg.cpus[1].blockers == ["lm", "nx"])
    }

    @Test(arguments: ["query-version", "query-target"])
    func `a QEMU that doesn't say what it is, is an error`(missing: String) async throws {
        var answers = answers
        answers[missing] = nil
        await #expect(throws: VirtError.self) { try await CapabilityProbe.run(ask: ask(answers)) }
    }

    @Test func `an old QEMU is refused`() async throws {
        var answers = answers
        answers["query-version"] = ["qemu": ["major": 3, "minor": 1, "micro": 0], "package": ""]
        await #expect(throws: VirtError.self) { try await CapabilityProbe.run(ask: ask(answers)) }
    }

    @Test func `the cache file comes back byte for byte`() throws {
        let text = try Fixture.text("x86_64-7.2.xml")
        #expect(try QEMUCapabilities.parse(cache: text.utf8).formatCache() == text)
    }

    @Test func `unknown flags of the cache are left out`() throws {
        let text = try Fixture.text("x86_64-7.2.xml")
        let changed = text.replacing("<flag name='sdl'/>", with: "<flag name='sdl'/><flag name='from-the-future'/>")
        #expect(try QEMUCapabilities.parse(cache: changed.utf8) == QEMUCapabilities.parse(cache: text.utf8))
    }

    @Test func `protocol descriptions are searched by path`() {
        let schema = QAPISchema([
            ["name": "add", "meta-type": "command", "arg-type": "1", "ret-type": "3", "features": ["json"]],
            [
                "name": "1", "meta-type": "object",
                "members": [["name": "kind", "type": "2"], ["name": "list", "type": "[1]"]],
                "variants": [["case": "file", "type": "3"]],
            ],
            ["name": "2", "meta-type": "enum", "values": ["file", "none"]],
            ["name": "3", "meta-type": "object", "members": [["name": "path", "type": "str"]]],
            ["name": "[1]", "meta-type": "array", "element-type": "3"],
            ["name": "str", "meta-type": "builtin"],
        ])
        for path in [
            "add", "add/$json", "add/arg-type/kind/^file", "add/arg-type/+file/path", "add/arg-type/list/path",
        ] {
            #expect(schema.contains(path), "\(path)")
        }
        for path in [
            "del", "add/$yaml", "add/arg-type/kind/^dir", "add/arg-type/+dir", "add/$json/x", "add/ret-type/kind",
        ] {
            #expect(!schema.contains(path), "\(path)")
        }
    }

    @Test func `a guest of KVM has no more processors than KVM gives`() throws {
        let facts = try Fixture.capabilities()
        let machine = try #require(facts.machine("q35", kvm: false))
        for (limit, shown) in [(nil, "288"), (4096, "288"), (240, "240")] as [(UInt32?, String)] {
            var host = DomainCapabilityFacts.HostSupport()
            host.maximumVCPUs = limit
            let text = try DomainCapabilityFacts(
                facts, emulator: facts.emulator, architecture: "x86_64", machine: machine, kvm: false, host: host,
                map: nil
            ).document.format()
            #expect(text.contains("<vcpu max='\(shown)'/>"))
        }
    }

    @Test func `domain capabilities follow from the facts`() throws {
        let facts = try Fixture.capabilities()
        let machine = try #require(facts.machine("q35", kvm: false))
        let text = try DomainCapabilityFacts(
            facts, emulator: facts.emulator, architecture: "x86_64", machine: machine, kvm: false, host: .init(),
            map: nil
        ).document.format()
        #expect(text.contains("<vcpu max='288'/>"))
        #expect(text.contains("<mode name='host-passthrough' supported='no'/>"))
        #expect(text.contains("<model usable='no' vendor='unknown'>EPYC</model>"))
        #expect(!text.contains("<value>ide</value>"))
    }
}

@Suite struct CPUMapTests {
    private let files = [
        "index.xml": "<cpus><arch name='x86'><include filename='f.xml'/><include filename='m.xml'/></arch></cpus>",
        "f.xml": """
        <cpus><vendor name='AMD' string='AuthenticAMD'/><feature name='fpu'><cpuid eax_in='1' edx='1'/></feature>
        <feature name='sse'><cpuid eax_in='1' edx='2'/></feature><feature name='lahf_lm'><alias name='lahf-lm' source='qemu'/>
        <cpuid eax_in='0x80000001' ecx='1'/></feature><feature name='invtsc' migratable='no'/></cpus>
        """,
        "m.xml": """
        <cpus><model name='old'><feature name='fpu'/></model>
        <model name='new'><model name='old'/><vendor name='AMD'/><signature family='23' model='1' stepping='0-2'/>
        <feature name='sse'/><feature name='lahf_lm'/></model></cpus>
        """,
    ]

    private func map() throws -> CPUMap { try CPUMap(family: "x86") { Array((files[$0] ?? "").utf8) } }

    @Test func `models inherit and features have QEMU's names`() throws {
        let map = try map()
        #expect(map.model("new")?.features == ["fpu", "sse", "lahf_lm"])
        #expect(map.featureName("lahf-lm") == "lahf_lm")
        #expect(map.featureName("none") == nil)
    }

    @Test func `a host is described by what it has`() throws {
        let described = try map().describe(["fpu", "sse"], CPUIdentity(), for: .host)
        #expect(described?.model == "old")
        #expect(described?.required == ["sse"])
    }

    @Test func `a guest is described in the fewest words`() throws {
        let described = try map().describe(["fpu", "sse", "lahf_lm", "invtsc"], CPUIdentity(), for: .guest)
        #expect(described?.model == "new")
        #expect(described?.required == ["invtsc"])
        #expect(described?.disabled == [])
    }

    @Test func `what blocks QEMU's model is switched off`() throws {
        var offer = QEMUCapabilities.CPU(name: "new")
        offer.blockers = ["lahf-lm"]
        let described = try map().describe(["fpu", "sse"], CPUIdentity(), for: .guest, offered: [offer])
        #expect(described?.model == "new")
        #expect(described?.disabled == ["lahf_lm"])
    }

    private func cpu(_ model: String, vendor: String? = nil, _ features: [CPU.Feature] = []) -> CPU {
        var cpu = CPU()
        cpu.model = CPU.Model(name: model, fallback: .allow)
        cpu.vendor = vendor
        cpu.features = features
        return cpu
    }

    @Test func `hosts are compared with what guests want`() throws {
        let map = try map()
        let host = cpu("old", vendor: "AMD", [CPU.Feature("sse", .require)])
        let compare = { (guest: CPU, isStrict: Bool) in
            try map.compare(host: host, guest: guest, isStrict: isStrict).result
        }
        #expect(try compare(cpu("old", [CPU.Feature("sse", .require)]), false) == .identical)
        #expect(try compare(cpu("old"), false) == .superset)
        #expect(try compare(cpu("old"), true) == .incompatible)
        #expect(try compare(cpu("new"), false) == .incompatible)
        #expect(try compare(cpu("new", [CPU.Feature("lahf_lm", .disable)]), false) == .identical)
        #expect(try compare(cpu("old", [CPU.Feature("sse", .forbid)]), false) == .incompatible)
        #expect(try compare(cpu("old", vendor: "Intel"), false) == .incompatible)
        #expect(throws: VirtError.self) { try compare(cpu("nosuch"), false) }
        #expect(throws: VirtError.self) { try compare(cpu("old", [CPU.Feature("nosuch", .require)]), false) }
    }

    @Test func `a baseline has what all hosts have`() throws {
        let map = try map()
        let first = cpu("new", vendor: "AMD")
        let second = cpu("old", vendor: "AMD", [CPU.Feature("sse", .require), CPU.Feature("invtsc", .require)])
        let common = try map.baseline([first, second], onlyMigratable: false)
        #expect(common.model?.name == "old")
        #expect(common.features.map(\.name) == ["sse"])
        #expect(common.vendor == "AMD")
        let alone = try map.baseline([second], onlyMigratable: true)
        #expect(alone.model?.fallback == .forbid)
        #expect(alone.features.map(\.name) == ["sse"])
        var expanded = alone
        map.expand(&expanded)
        #expect(expanded.features.map(\.name) == ["fpu", "sse"])
    }

    @Test func `a guest gets of the host what it can take along, clients are told all`() throws {
        var facts = QEMUCapabilities()
        facts.architecture = "x86_64"
        facts.tcg.hostCPU = .init(
            model: "base", knowsMigratability: true,
            properties: [
                .init(name: "fpu", value: .boolean(true), migratable: true),
                .init(name: "sse", value: .boolean(true), migratable: true),
                .init(name: "invtsc", value: .boolean(true), migratable: false),
            ])
        facts.tcg.cpus = [.init(name: "old")]
        let map = try map()
        #expect(map.hostModel(facts, kvm: false)?.required == ["sse"])
        #expect(map.hostModel(facts, kvm: false, onlyMigratable: false)?.required.contains("invtsc") == true)
    }

    @Test func `what is optional says nothing of a host`() throws {
        let map = try map()
        let host = cpu("old", [CPU.Feature("sse", .optional), CPU.Feature("nosuch", .optional)])
        #expect(try map.features(of: host) == ["fpu"])
        #expect(try map.baseline([host], onlyMigratable: false).features.isEmpty)
    }

    @Test func `hosts without common ground are an error`() throws {
        let map = try map()
        #expect(throws: VirtError.self) { try map.baseline([], onlyMigratable: false) }
        let bare = cpu("old", [CPU.Feature("fpu", .disable)])
        #expect(throws: VirtError.self) { try map.baseline([bare], onlyMigratable: false) }
    }
}
