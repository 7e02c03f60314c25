import VirtCore

extension CapabilityProbe {
    /// The machine types in QEMU's order, but the one first that a guest of the architecture has by default: libvirt's
    /// own choice, else QEMU's.
    static func machines(_ reply: JSONValue?, _ architecture: String) -> [QEMUCapabilities.Machine] {
        let machines: [QEMUCapabilities.Machine] = (reply?.array ?? []).compactMap { entry in
            guard let name = entry["name"]?.string, name != "none" else { return nil }
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
            return machine
        }
        let preferred = Architecture.named(architecture)?.preferredMachine
        let first =
            machines.lastIndex { preferred != nil && ($0.name == preferred || $0.alias == preferred) }
            ?? machines.lastIndex(where: \.isDefault)
        guard let first else { return machines }
        return [machines[first]] + machines[..<first] + machines[(first + 1)...]
    }

    static func cpus(_ reply: JSONValue?) -> [QEMUCapabilities.CPU] {
        (reply?.array ?? []).compactMap { entry in
            guard let name = entry["name"]?.string else { return nil }
            var cpu = QEMUCapabilities.CPU(name: name)
            // POWER lists aliases without a type.
            cpu.typeName = entry["typename"]?.string.flatMap { $0.isEmpty ? nil : $0 }
            if let features = entry["unavailable-features"]?.array {
                cpu.blockers = features.compactMap(\.string)
                cpu.usable = features.isEmpty
            }
            cpu.deprecated = entry["deprecated"]?.bool ?? false
            return cpu
        }
    }

    static func gic(_ reply: JSONValue?) -> [QEMUCapabilities.GIC] {
        (reply?.array ?? []).compactMap { entry in
            guard let version = entry["version"]?.integer(UInt32.self) else { return nil }
            return QEMUCapabilities.GIC(
                version: version, kernel: entry["kernel"]?.bool ?? false, emulated: entry["emulated"]?.bool ?? false)
        }
    }

    static func sev(_ reply: JSONValue?) -> QEMUCapabilities.SEV? {
        guard let reply, let position = reply["cbitpos"]?.integer(UInt32.self),
            let bits = reply["reduced-phys-bits"]?.integer(UInt32.self), let pdh = reply["pdh"]?.string,
            let chain = reply["cert-chain"]?.string
        else { return nil }
        var sev = QEMUCapabilities.SEV()
        sev.cbitPosition = position
        sev.reducedPhysicalBits = bits
        sev.pdh = pdh
        sev.certificateChain = chain
        sev.cpu0ID = reply["cpu0-id"]?.string
        return sev
    }

    static func sgx(_ reply: JSONValue?) -> QEMUCapabilities.SGX? {
        guard let reply, let flexible = reply["flc"]?.bool, let sgx1 = reply["sgx1"]?.bool,
            let sgx2 = reply["sgx2"]?.bool
        else { return nil }
        var sgx = QEMUCapabilities.SGX()
        sgx.flexibleLaunchControl = flexible
        sgx.sgx1 = sgx1
        sgx.sgx2 = sgx2
        sgx.sectionSize = reply["section-size"]?.integer() ?? 0
        sgx.sections = (reply["sections"]?.array ?? []).compactMap { section in
            guard let node = section["node"]?.integer(UInt32.self), let size = section["size"]?.integer(UInt64.self)
            else { return nil }
            return .init(node: node, size: size)
        }
        return sgx
    }
}
