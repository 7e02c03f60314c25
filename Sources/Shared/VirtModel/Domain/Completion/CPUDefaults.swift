import VirtCore
import VirtXML

extension DomainCompletion {
    func completeCPU(_ domain: inout Domain) throws {
        try setDefaultCPU(&domain)
        guard var cpu = domain.cpu else { return }
        try checkCache(cpu)
        try completeSVE(&cpu)
        if cpu.mode == .hostPassthrough, cpu.migratable == nil { cpu.migratable = migratableDefault }
        if cpu.mode != .custom || cpu.model != nil, cpu.check == nil {
            switch cpu.mode ?? .custom {
            case .hostPassthrough, .maximum: cpu.check = CPU.Check.none
            case .hostModel: cpu.check = .partial
            case .custom: cpu.check = domain.type == .qemu ? CPU.Check.none : .partial
            }
        }
        completeModel(&cpu)
        domain.cpu = cpu
        guard cpu.mode == .custom, cpu.model == nil, cpu.check != nil else { return }
        throw VirtError.unsupported("check attribute specified for CPU with no model")
    }

    private var migratableDefault: Bool? {
        if emulator.has("cpu.migratable") { return true }
        return machine.isX86 ? false : nil
    }

    /// The CPU that QEMU would take by itself, so that another version can't change it.
    private func setDefaultCPU(_ domain: inout Domain) throws {
        if let cpu = domain.cpu, cpu.mode != .custom || cpu.model != nil { return }
        let isKnown = machine.isX86 || machine.isS390 || machine.isPPC64 || machine.isARM
        guard isKnown else { return }
        guard machine.isX86 || machine.isS390 || machine.isPPC64 || domain.type == .qemu else { return }
        guard let name = domain.os.machine, let model = emulator.machine(name)?.defaultCPU[domain.type] else { return }
        var cpu = domain.cpu ?? CPU()
        if model == "host" {
            guard domain.type == .kvm else {
                throw VirtError(
                    .internalError, .qemu,
                    "QEMU reports invalid default CPU model \"host\" for non-kvm domain virt type")
            }
            cpu.mode = machine.isS390 ? .hostModel : .hostPassthrough
        } else {
            cpu.mode = .custom
            cpu.match = .exact
            cpu.check = CPU.Check.none
            cpu.model = CPU.Model(name: model, fallback: .forbid)
        }
        domain.cpu = cpu
    }

    private func completeModel(_ cpu: inout CPU) {
        guard cpu.mode == .custom || cpu.mode == .hostModel else {
            cpu.model = nil
            return
        }
        if cpu.mode == .hostModel, cpu.model?.name == nil {
            // The host says which model it is.
            cpu.model?.fallback = nil
            if cpu.model?.vendorID == nil { cpu.model = nil }
        } else if cpu.model != nil, cpu.model?.fallback == nil {
            cpu.model?.fallback = .allow
        }
    }

    private func checkCache(_ cpu: CPU) throws {
        guard let cache = cpu.cache else { return }
        let mode = cache.mode.rawValue
        guard machine.isX86 else {
            throw VirtError.unsupported(
                "CPU cache specification is not supported for '\(machine.arch)' architecture", .qemu)
        }
        switch cache.mode {
        case .emulate where cache.level != 3:
            throw VirtError.unsupported("CPU cache mode '\(mode)' can only be used with level='3'", .qemu)
        case .passthrough where cpu.mode != .hostPassthrough && cpu.mode != .maximum:
            throw VirtError.unsupported(
                "CPU cache mode '\(mode)' can only be used with 'host-passthrough' / 'maximum' CPUs", .qemu)
        case .passthrough where cache.level != nil, .disable where cache.level != nil:
            throw VirtError.unsupported("unsupported CPU cache level for mode '\(mode)'", .qemu)
        case .emulate, .passthrough, .disable: return
        }
    }

    /// Vector lengths of ARM's SVE ask for SVE itself.
    private func completeSVE(_ cpu: inout CPU) throws {
        guard cpu.features.contains(where: { $0.name.hasPrefix("sve") && $0.name != "sve" }) else { return }
        guard let index = cpu.features.firstIndex(where: { $0.name == "sve" }) else {
            cpu.features.append(CPU.Feature("sve", .require))
            return
        }
        if cpu.features[index].policy == .disable || cpu.features[index].policy == .forbid {
            throw VirtError.unsupported("SVE disabled, but SVE vector lengths provided", .qemu)
        }
        cpu.features[index].policy = .require
    }

    func completeFeatures(_ domain: inout Domain) {
        if machine.isARMVirt, domain.features.gic == nil { domain.features.gic = Features.GIC() }
        if domain.features.gic != nil, domain.features.gic?.version == nil { domain.features.gic?.version = .v2 }
    }

    func checkVCPUs(_ domain: inout Domain) throws {
        try domain.features.smm?.check(machine, emulator)
        let states = domain.vcpuStates.sorted { $0.id < $1.id }
        guard let first = states.first(where: { $0.id == 0 }) else { return }
        if !first.enabled { throw VirtError.unsupported("vcpu 0 can't be offline", .qemu) }
        if first.hotpluggable == true { throw VirtError.unsupported("vcpu0 can't be hotpluggable", .qemu) }
        if let order = first.order, order != 1 { throw VirtError.unsupported("vcpu0 must be enabled first", .qemu) }
        for state in states where state.enabled && (state.order != nil) != (first.order != nil) {
            throw VirtError.unsupported("all vcpus must have either set or unset order", .qemu)
        }
    }

    /// CPUs that belong to no node go to the first one.
    func completeNUMA(_ domain: inout Domain) throws {
        guard var numa = domain.cpu?.numa, !numa.cells.isEmpty else { return }
        var assigned: Set<UInt32> = []
        for cell in numa.cells { assigned.formUnion(cell.cpus?.members ?? []) }
        guard domain.vcpu.maximum <= 16384, assigned.count < Int(domain.vcpu.maximum) else { return }
        let missing = (0..<domain.vcpu.maximum).filter { !assigned.contains($0) }
        numa.cells[0].cpus = BitSet((numa.cells[0].cpus?.members ?? []) + missing)
        domain.cpu?.numa = numa
    }
}

extension Features.SMM {
    fileprivate func check(_ machine: MachineKind, _ emulator: DomainCompletionContext.Emulator) throws {
        guard state, let tseg else { return }
        guard machine.isQ35 else {
            throw VirtError.unsupported("SMM TSEG is only supported with q35 machine type", .qemu)
        }
        guard emulator.has("mch.extended-tseg-mbytes") else {
            throw VirtError.unsupported("Setting TSEG size is not supported with this QEMU binary", .qemu)
        }
        if tseg % (1 << 20) != 0 { throw VirtError.unsupported("SMM TSEG size must be divisible by 1 MiB", .qemu) }
    }
}
