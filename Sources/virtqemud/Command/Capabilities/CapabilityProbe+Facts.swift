import VirtCore

extension CapabilityProbe {
    /// The machine types in QEMU's order, but the one first that a guest of the architecture has by default: libvirt's
    /// own choice, else QEMU's.
    static func machines(
        _ entries: [JSONValue], _ architecture: String
    ) throws(VirtError) -> [QEMUCapabilities.Machine] {
        var machines: [QEMUCapabilities.Machine] = []
        for entry in entries {
            let name = try Replies.string("name", of: entry, in: "query-machines")
            guard name != "none" else { continue }
            var machine = QEMUCapabilities.Machine(name: name)
            machine.alias = entry["alias"]?.string
            machine.hotplugCPUs = entry["hotpluggable-cpus"]?.bool ?? false
            machine.maximumCPUs = entry["cpu-max"]?.integer() ?? 0
            machine.isDefault = entry["is-default"]?.bool ?? false
            machine.defaultCPU = entry["default-cpu-type"]?.string
            // QEMU says for itself whether it still takes `-numa mem`; one that doesn't say always takes it.
            machine.numaMemorySupported = entry["numa-mem-supported"]?.bool ?? true
            machine.defaultRAMID = entry["default-ram-id"]?.string
            machine.deprecated = entry["deprecated"]?.bool ?? false
            machines.append(machine)
        }
        let preferred = Architecture.named(architecture)?.preferredMachine
        let first =
            machines.lastIndex { preferred != nil && ($0.name == preferred || $0.alias == preferred) }
            ?? machines.lastIndex(where: \.isDefault)
        guard let first else { return machines }
        return [machines[first]] + machines[..<first] + machines[(first + 1)...]
    }

    static func cpus(_ entries: [JSONValue], _ architecture: String) throws(VirtError) -> [QEMUCapabilities.CPU] {
        let command = "query-cpu-definitions"
        var cpus: [QEMUCapabilities.CPU] = []
        for entry in entries {
            let name = try Replies.string("name", of: entry, in: command)
            var cpu = QEMUCapabilities.CPU(name: Architecture.libvirtModel(name, architecture))
            // POWER lists aliases without a type.
            cpu.typeName = entry["typename"]?.string.flatMap { $0.isEmpty ? nil : $0 }
            if let reply = entry["unavailable-features"] {
                guard let features = reply.array, features.allSatisfy({ $0.string != nil }) else {
                    throw VirtError(.internalError, .qemu, "\(command) reply data had malformed 'unavailable-features'")
                }
                cpu.blockers = features.compactMap(\.string)
                cpu.usable = features.isEmpty
            }
            cpu.deprecated = entry["deprecated"]?.bool ?? false
            cpus.append(cpu)
        }
        return cpus
    }

    /// Of ARM only.
    static func gic(_ entries: [JSONValue]) throws(VirtError) -> [QEMUCapabilities.GIC] {
        var versions: [QEMUCapabilities.GIC] = []
        for entry in entries {
            guard entry.object != nil else {
                throw VirtError(.internalError, .qemu, "missing entry in GIC capabilities list")
            }
            guard let version = entry["version"]?.integer(UInt32.self) else {
                throw VirtError(.internalError, .qemu, "missing GIC version")
            }
            guard let kernel = entry["kernel"]?.bool else {
                throw VirtError(.internalError, .qemu, "missing in-kernel GIC information")
            }
            guard let emulated = entry["emulated"]?.bool else {
                throw VirtError(.internalError, .qemu, "missing emulated GIC information")
            }
            versions.append(.init(version: version, kernel: kernel, emulated: emulated))
        }
        return versions
    }

    static func sev(_ reply: JSONValue?) throws(VirtError) -> QEMUCapabilities.SEV? {
        guard let reply else { return nil }
        let command = "query-sev-capabilities"
        var sev = QEMUCapabilities.SEV()
        sev.cbitPosition = try field(reply["cbitpos"]?.integer(UInt32.self), "cbitpos", of: command)
        sev.reducedPhysicalBits = try field(
            reply["reduced-phys-bits"]?.integer(UInt32.self), "reduced-phys-bits", of: command)
        sev.pdh = try field(reply["pdh"]?.string, "pdh", of: command)
        sev.certificateChain = try field(reply["cert-chain"]?.string, "cert-chain", of: command)
        sev.cpu0ID = reply["cpu0-id"]?.string
        return sev
    }

    static func sgx(_ reply: JSONValue?) throws(VirtError) -> QEMUCapabilities.SGX? {
        guard let reply else { return nil }
        let command = "query-sgx-capabilities"
        var sgx = QEMUCapabilities.SGX()
        sgx.flexibleLaunchControl = try field(reply["flc"]?.bool, "flc", of: command)
        sgx.sgx1 = try field(reply["sgx1"]?.bool, "sgx1", of: command)
        sgx.sgx2 = try field(reply["sgx2"]?.bool, "sgx2", of: command)
        sgx.sectionSize = reply["section-size"]?.integer() ?? 0
        for section in reply["sections"]?.array ?? [] {
            sgx.sections.append(
                .init(
                    node: try field(section["node"]?.integer(UInt32.self), "node", of: command),
                    size: try field(section["size"]?.integer(UInt64.self), "size", of: command)))
        }
        return sgx
    }

    private static func field<Value>(
        _ value: Value?, _ name: String, of command: String
    ) throws(VirtError) -> Value {
        guard let value else {
            throw VirtError(.internalError, .qemu, "\(command) reply was missing '\(name)' field")
        }
        return value
    }
}
