import QEMUMonitor
import VirtCore

extension CapabilityProbe {
    /// Sets every flag that has its witness in the replies, and those that follow from others.
    static func addFlags(_ replies: Replies, _ capabilities: inout QEMUCapabilities, ask: Ask) async throws {
        let evidence = try Evidence(replies, architecture: capabilities.architecture)
        for (flag, witness) in FlagWitness.table where evidence.shows(witness) { capabilities.flags.insert(flag) }
        let machines = try await machineProperties(replies, capabilities.architecture, ask: ask)
        for case (let flag, .machineProperty(let machine, let property)) in FlagWitness.table
        where machines[machine]?.contains(property) == true {
            capabilities.flags.insert(flag)
        }
        if replies["query-kvm"]?["enabled"] == true, replies["query-kvm"]?["present"] == true {
            capabilities.flags.insert(.kvm)
        }
        let scsi = evidence.property("scsi", of: ["virtio-blk-pci", "virtio-blk-ccw"])
        if scsi?["default-value"] == false { capabilities.flags.insert(.virtioBlkPciScsiDefaultDisabled) }
        // QEMU 5.2 lost the option.
        if capabilities.version < 5_002_000 { capabilities.flags.insert(.enableFips) }
        addConsequences(&capabilities)
    }

    private static func addConsequences(_ capabilities: inout QEMUCapabilities) {
        let isX86 = Architecture.isX86(capabilities.architecture)
        let consequences: [(QEMUFlag, Bool)] = [
            (.cpuCache, isX86 && capabilities.has(.queryCpuModelExpansion)),
            (.canonicalCpuFeatures, capabilities.has(.cpuUnavailableFeatures)),
            (
                .incrementalBackup,
                capabilities.has(.blockdevReopen) && capabilities.has(.migrationParamBlockBitmapMapping)
            ),
            (.compatDeprecated, capabilities.has(.objectQapified)),
        ]
        for (flag, holds) in consequences where holds { capabilities.flags.insert(flag) }
    }

    /// The properties of the machine types that a witness names; an alias stands for the versioned type.
    private static func machineProperties(
        _ replies: Replies, _ architecture: String, ask: Ask
    ) async throws -> [String: Set<String>] {
        var wanted: [String] = []
        for case (_, .machineProperty(let machine, _)) in FlagWitness.table where !wanted.contains(machine) {
            wanted.append(machine)
        }
        let known = try machines(replies.list("query-machines"), architecture)
        var commands: [QMPCommand] = []
        var names: [String] = []
        for name in wanted {
            let machine = known.first { $0.alias == name } ?? known.first { $0.name == name }
            guard let canonical = name == "none" ? "none" : machine?.name else { continue }
            names.append(name)
            commands.append(QMPCommand("qom-list-properties", ["typename": .string("\(canonical)-machine")]))
        }
        var properties: [String: Set<String>] = [:]
        for (name, (command, outcome)) in zip(names, zip(commands, try await ask(commands))) {
            let list = try Replies.value(command, outcome)?.array ?? []
            properties[name] = Set(list.compactMap { $0["name"]?.string })
        }
        return properties
    }
}

/// The replies of one QEMU, ordered for looking up witnesses.
private struct Evidence {
    private let replies: Replies
    private let architecture: String
    private let schema: QAPISchema
    private let commands: Set<String>
    private let types: Set<String>
    private let migration: Set<String>

    init(_ replies: Replies, architecture: String) throws(VirtError) {
        self.replies = replies
        self.architecture = architecture
        schema = QAPISchema(replies["query-qmp-schema"] ?? .null)
        commands = try replies.strings("query-commands", member: "name")
        types = try replies.strings("qom-list-types", member: "name")
        migration = try replies.strings("query-migrate-capabilities", member: "capability")
    }

    func shows(_ witness: FlagWitness) -> Bool {
        switch witness {
        case .command(let name): return commands.contains(name)
        case .type(let names): return names.contains(where: types.contains)
        case .property(let devices, let name): return property(name, of: devices) != nil
        case .objectProperty(let objects, let name):
            return objects.contains { object in
                replies.properties("qom-list-properties", of: object).contains { $0["name"]?.string == name }
            }
        case .machineProperty: return false
        case .schema(let path): return schema.contains(path)
        case .option(let name, let parameter): return option(name, parameter)
        case .migration(let name): return migration.contains(name)
        case .tpmModel(let name): return holds("query-tpm-models", name)
        case .tpmType(let name): return holds("query-tpm-types", name)
        case .architecture(let names): return names.contains(architecture)
        }
    }

    func property(_ name: String, of devices: [String]) -> JSONValue? {
        for device in devices {
            let properties = replies.properties("device-list-properties", of: device)
            if let found = properties.first(where: { $0["name"]?.string == name }) { return found }
        }
        return nil
    }

    private func holds(_ command: String, _ name: String) -> Bool {
        replies[command]?.array?.contains(.string(name)) == true
    }

    private func option(_ name: String, _ parameter: String?) -> Bool {
        let options = replies["query-command-line-options"]?.array ?? []
        return options.contains { option in
            guard option["option"]?.string == name else { return false }
            guard let parameter else { return true }
            return option["parameters"]?.array?.contains { $0["name"]?.string == parameter } == true
        }
    }
}
