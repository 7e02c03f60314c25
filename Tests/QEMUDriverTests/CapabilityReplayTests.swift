import Glibc
import QEMUCommand
import QEMUMonitor
import Testing
import VirtCore
import VirtOS

@testable import QEMUDriver

/// Probing without an emulator: the answers of a QEMU 7.2 were recorded (`UPDATE_FIXTURES=1` records them anew).
@Suite(.timeLimit(.minutes(2)), .serialized) struct CapabilityReplayTests {
    private static let binary = "/usr/bin/qemu-system-x86_64"
    private static let directory =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        + "/Fixtures/"

    private static func text(_ name: String) throws -> String {
        String(decoding: try FileSystem.read(directory + name, limit: 4 << 20), as: UTF8.self)
    }

    private static let loaded = Result { try RecordedQEMU(dialogue: text("x86_64.dialogue.jsonl")) }

    private static func recorded() throws -> RecordedQEMU { try loaded.get() }

    @Test(.enabled(if: getenv("UPDATE_FIXTURES") != nil && access(binary, X_OK) == 0))
    func `a dialogue is recorded`() async throws {
        let dialogue = try await DialogueRecorder.record(Self.binary)
        try FileSystem.atomicWrite(Self.directory + "x86_64.dialogue.jsonl", Array(dialogue.utf8), mode: 0o644)
        let facts = try await RecordedQEMU(dialogue: dialogue).probe()
        try FileSystem.atomicWrite(
            Self.directory + "x86_64.facts.xml", Array(try facts.formatCache().utf8), mode: 0o644)
    }

    @Test func `the facts of a recorded QEMU are those of its cache file`() async throws {
        let facts = try await Self.recorded().probe()
        #expect(try facts.formatCache() == Self.text("x86_64.facts.xml"))
    }

    @Test func `flags, machine types and processors are read`() async throws {
        let facts = try await Self.recorded().probe()
        #expect(facts.version / 1000 == 7002)
        #expect(facts.architecture == "x86_64")
        for flag in [QEMUFlag.tcg, .vnc, .spice, .virtioGpu, .netdevJson, .netdevStream, .cpuMax, .queryCpuDefinitions]
        {
            #expect(facts.has(flag), "\(flag)")
        }
        for flag in [QEMUFlag.kvm, .sevGuest, .virtioGpuVirgl, .vxhs, .enableFips, .virtioCcw, .gicVersion] {
            #expect(!facts.has(flag), "\(flag)")
        }
        #expect(facts.kvm.machines.isEmpty)
        #expect(facts.preferredMachine(kvm: false) == "pc-i440fx-7.2")
        #expect(facts.canonicalMachine("q35", kvm: false) == "pc-q35-7.2")
        let q35 = try #require(facts.machine("q35", kvm: false))
        #expect(q35.maximumCPUs == 288)
        #expect(q35.hotplugCPUs)
        #expect(facts.machine("none", kvm: false) == nil)
        let host = try #require(facts.tcg.hostCPU)
        #expect(host.model == "base")
        #expect(host.properties.contains { $0.name == "lm" && $0.value == .boolean(true) && $0.migratable == true })
        #expect(facts.tcg.cpus.contains { $0.name == "max" && $0.usable == true && $0.blockers.isEmpty })
        #expect(facts.tcg.cpus.contains { $0.usable == false && !$0.blockers.isEmpty })
    }

    @Test(arguments: [RecordedQEMU.Fault.events, .lastFirst])
    func `answers count, whatever is between them and in which order`(fault: RecordedQEMU.Fault) async throws {
        let qemu = try Self.recorded()
        #expect(try await qemu.failing(fault).probe() == qemu.probe())
    }

    @Test func `with KVM the facts for TCG come from a second QEMU`() async throws {
        let kvm = try Self.recorded().answering("query-kvm", with: ["return": ["enabled": true, "present": true]])
        let first = try await kvm.probe()
        #expect(first.has(.kvm))
        #expect(first.tcg.machines.isEmpty)
        var tcg = try Self.recorded()
        let host = QMPCommand("query-cpu-model-expansion", ["type": "static", "model": ["name": "host"]])
        tcg.answers[QMPCommand(host.name, ["type": "static", "model": ["name": "max"]])] = [
            "return": ["model": ["name": "all", "props": ["lm": true, "svm": false]]]
        ]
        tcg.answers[
            QMPCommand(host.name, ["type": "static", "model": ["name": "max", "props": ["migratable": false]]])] = [
                "return": ["model": ["name": "all", "props": ["lm": true, "svm": true]]]
            ]
        let both = try await tcg.probe { ask in
            var facts = first
            try await CapabilityProbe.addTCG(to: &facts, ask: ask)
            return facts
        }
        #expect(both.kvm == first.kvm)
        #expect(both.tcg.machines == first.kvm.machines)
        #expect(both.tcg.hostCPU?.model == "all")
        let expected: [QEMUCapabilities.Property] = [
            .init(name: "lm", value: .boolean(true), migratable: true),
            .init(name: "svm", value: .boolean(true), migratable: false),
        ]
        #expect(both.tcg.hostCPU?.properties == expected)
    }

    @Test(arguments: ["query-kvm", "query-tpm-models", "query-tpm-types", "query-gic-capabilities"])
    func `a QEMU without a command hasn't got what it is about`(command: String) async throws {
        let failure: JSONValue = ["class": "CommandNotFound", "desc": "no"]
        _ = try await Self.recorded().answering(command, with: ["error": failure]).probe()
    }
}

/// QEMUs that break: each gives a clear error in finite time.
@Suite(.timeLimit(.minutes(2)), .serialized) struct HostileDialogueTests {
    private static let loaded = Result {
        let directory = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let path = directory.joined(separator: "/") + "/Fixtures/x86_64.dialogue.jsonl"
        let text = String(decoding: try FileSystem.read(path, limit: 4 << 20), as: UTF8.self)
        return try RecordedQEMU(dialogue: text).abridged
    }

    private static func recorded() throws -> RecordedQEMU { try loaded.get() }

    private static func message(_ qemu: RecordedQEMU, timeout: Duration = .seconds(30)) async throws -> String {
        do {
            _ = try await qemu.probe(timeout: timeout)
            return "no error"
        } catch let error as VirtError {
            return error.message
        }
    }

    private static let necessary = [
        "query-version", "query-target", "query-qmp-schema", "query-commands", "qom-list-types", "query-machines",
        "query-command-line-options", "query-migrate-capabilities",
    ]

    @Test(arguments: necessary)
    func `a refusal of what every QEMU answers is reported`(command: String) async throws {
        for kind in ["GenericError", "CommandNotFound", "DeviceNotFound"] {
            let failure: JSONValue = ["class": .string(kind), "desc": "out of order"]
            let message = try await Self.message(Self.recorded().answering(command, with: ["error": failure]))
            #expect(message == "internal error: unable to execute QEMU command '\(command)': out of order")
        }
    }

    @Test(arguments: [
        "query-kvm", "query-cpu-definitions", "query-cpu-model-expansion", "device-list-properties",
        "qom-list-properties", "query-tpm-models",
    ])
    func `a refusal that says something else than absence is reported`(command: String) async throws {
        let failure: JSONValue = ["class": "KVMMissingCap", "desc": "broken"]
        let message = try await Self.message(Self.recorded().answering(command, with: ["error": failure]))
        #expect(message == "internal error: unable to execute QEMU command '\(command)': broken")
    }

    @Test(
        arguments: necessary + ["query-kvm", "query-cpu-definitions", "query-cpu-model-expansion", "query-tpm-types"])
    func `an answer of another kind is reported`(command: String) async throws {
        let isList = !["query-version", "query-target", "query-kvm", "query-cpu-model-expansion"].contains(command)
        for value: JSONValue in [.null, true, 7, "text", isList ? [:] : []] {
            let message = try await Self.message(Self.recorded().answering(command, with: ["return": value]))
            #expect(message == "internal error: unexpected type returned by QEMU command '\(command)'")
        }
    }

    @Test(
        arguments: [
            ("query-version", [:], "query-version reply was missing 'qemu' data"),
            (
                "query-version", ["qemu": ["major": 99_999_999_999, "minor": -1, "micro": .number("0.5")]],
                "query-version reply was missing 'qemu' data"
            ),
            ("query-target", ["arch": 64], "query-target reply was missing arch data"),
            ("query-target", ["arch": "abacus"], "Unknown QEMU arch abacus"),
            ("query-machines", [["alias": "q35"]], "query-machines reply data was missing 'name'"),
            ("query-machines", [7], "query-machines reply data was missing 'name'"),
            ("query-cpu-definitions", [["name": 5]], "query-cpu-definitions reply data was missing 'name'"),
            (
                "query-cpu-definitions", [["name": "a", "unavailable-features": "all"]],
                "query-cpu-definitions reply data had malformed 'unavailable-features'"
            ),
            ("qom-list-types", [[:]], "qom-list-types reply data was missing 'name'"),
            ("query-cpu-model-expansion", [:], "query-cpu-model-expansion reply data was missing 'model'"),
            ("query-cpu-model-expansion", ["model": [:]], "query-cpu-model-expansion reply data was missing 'name'"),
            (
                "query-cpu-model-expansion", ["model": ["name": "x"]],
                "query-cpu-model-expansion reply data was missing 'props'"
            ),
            (
                "query-sev-capabilities", ["cbitpos": 47],
                "query-sev-capabilities reply was missing 'reduced-phys-bits' field"
            ),
            ("query-sgx-capabilities", ["flc": true], "query-sgx-capabilities reply was missing 'sgx1' field"),
            ("query-gic-capabilities", [["version": 3]], "missing in-kernel GIC information"),
        ] as [(String, JSONValue, String)])
    func `an answer that lacks something is reported`(
        command: String, value: JSONValue, text: String
    ) async throws {
        var qemu = try Self.recorded()
        qemu.answers[QMPCommand(command)] = ["return": value]
        let message = try await Self.message(qemu.answering(command, with: ["return": value]))
        #expect(message == "internal error: " + text)
    }

    @Test func `a QEMU that is too old is refused`() async throws {
        let version: JSONValue = ["qemu": ["major": 4, "minor": 1, "micro": 50], "package": ""]
        let message = try await Self.message(Self.recorded().answering("query-version", with: ["return": version]))
        #expect(message == "unsupported configuration: QEMU version >= 4.2.0 is required, but 4.1.50 found")
    }

    @Test(arguments: [1, 2, 20, 45])
    func `a QEMU that goes away is reported`(number: Int) async throws {
        let qemu = try Self.recorded()
        for fault in [RecordedQEMU.Fault.endAt(number), .truncateAt(number)] {
            #expect(try await Self.message(qemu.failing(fault)).contains("End of file from qemu monitor"))
        }
    }

    @Test func `a QEMU that says nothing is given up`() async throws {
        let qemu = try Self.recorded().failing(.silentOn("query-machines"))
        let message = try await Self.message(qemu, timeout: .milliseconds(500))
        #expect(message.contains("QEMU did not answer the command 'query-machines' in time"))
    }

    @Test func `what is no QMP is no QEMU`() async throws {
        var qemu = try Self.recorded()
        qemu.greeting = ["hello": "there"]
        #expect(try await Self.message(qemu).hasPrefix("internal error: "))
    }
}
