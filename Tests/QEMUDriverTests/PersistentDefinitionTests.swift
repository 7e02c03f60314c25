import Testing
import VirtCore
import VirtModel
import VirtXML

@testable import QEMUDriver

/// Definitions whose models come and go.
@Suite("Persistent definitions")
struct PersistentDefinitionTests {
    private static let context = DomainCompletionContext(
        hostArch: "x86_64",
        emulators: [
            DomainCompletionContext.Emulator(
                path: "/usr/bin/qemu-system-x86_64", arch: "x86_64",
                machines: [.init(name: "pc-q35-7.2", alias: "q35", isDefault: true, defaultCPU: [.qemu: "qemu64"])],
                flags: ["qemu-xhci", "pcie-root-port", "pcie-pci-bridge", "VGA"])
        ])

    private static func document(_ name: String, _ more: String = "") -> [UInt8] {
        Array(
            """
            <domain type='qemu'>
              <name>\(name)</name>
              <uuid>2c0abd3d-8f18-42c0-a132-9708213aaac9</uuid>
              <memory unit='MiB'>512</memory><currentMemory unit='MiB'>256</currentMemory>
              <vcpu current='1'>2</vcpu>
              <os><type arch='x86_64' machine='q35'>hvm</type></os>
              <devices>
                <disk type='file'><driver name='qemu' type='qcow2'/><source file='/images/a'/><target dev='vda'/></disk>
                <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
                <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
                <memballoon model='virtio'/>\(more)
              </devices>
            </domain>
            """.utf8)
    }

    private static func complete(_ text: [UInt8]) throws -> Domain {
        var domain = try Domain.parse(text)
        try domain.complete(context, isNew: false)
        return domain
    }

    /// Asks for so many other models that none that was asked for before is kept.
    private static func displace(_ recent: RecentDefinitions, _ count: Int) throws {
        let text = document("other")
        for _ in 0..<count {
            let other = PersistentDefinition(
                read: try complete(text), from: .init(text: text, context: context), recent: recent)
            #expect(other.model != nil)
        }
    }

    @Test("the summary says what lists, statistics and information calls ask for")
    func summary() throws {
        let summary = DefinitionSummary(try Self.complete(Self.document("guest")))
        #expect(summary.name == "guest")
        #expect(summary.osType == "hvm")
        #expect(summary.maximumMemory == 524288)
        #expect(summary.currentMemory == 262144)
        #expect(summary.maximumVCPUs == 2)
        #expect(summary.onlineVCPUs == 1)
        #expect(
            summary.disks == [
                .init(target: "vda", path: "/images/a", image: .init(path: "/images/a", format: "qcow2")),
                .init(target: "sda", path: nil, image: nil),
            ])
    }

    @Test("a file's model is the same each time it is made")
    func madeAgain() throws {
        let recent = RecentDefinitions(limit: 2)
        let text = Self.document("guest")
        let domain = try Self.complete(text)
        let source = PersistentDefinition.Source(text: text, context: Self.context)
        let definition = PersistentDefinition(read: domain, from: source, recent: recent)
        #expect(definition.model == domain)
        try Self.displace(recent, 4)
        #expect(definition.model == domain)
        #expect(try definition.model?.format([.inactive, .secure]) == domain.format([.inactive, .secure]))
    }

    @Test("a new definition stays as it was defined, whatever else is asked for")
    func defined() throws {
        let recent = RecentDefinitions(limit: 2)
        // Addresses and controllers are completed: their order is not the one that a file is read in.
        var domain = try Domain.parse(Self.document("guest", "<graphics type='vnc' passwd='secret'/>"))
        try domain.complete(Self.context)
        let source = PersistentDefinition.Source(text: try QEMUDriver.file(of: domain), context: Self.context)
        let definition = PersistentDefinition(domain, print: source, recent: recent)
        try Self.displace(recent, 4)
        #expect(definition.model == domain)
        try Self.displace(recent, 4)
        #expect(definition.model == domain)
    }

    @Test("a model whose print does not say all is kept")
    func unprintable() throws {
        let recent = RecentDefinitions(limit: 2)
        let domain = try Self.complete(Self.document("guest"))
        let other = PersistentDefinition.Source(text: Self.document("another"), context: Self.context)
        let definition = PersistentDefinition(domain, print: other, recent: recent)
        try Self.displace(recent, 4)
        #expect(definition.model == domain)
    }
}
