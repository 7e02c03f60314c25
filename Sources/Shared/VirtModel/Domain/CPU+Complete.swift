import VirtCore
import VirtXML

extension CPU {
    mutating func complete(_ context: DomainCompletion) throws(VirtError) {
        try checkCache(context.machine)
        try physicalAddress?.check()
        if mode == .hostPassthrough, migratable == true, !context.emulator.has("cpu.migratable") {
            throw VirtError.unsupported(
                "Migratable attribute for host-passthrough CPU is not supported by this QEMU binary", .qemu)
        }
        try completeSVE()
        if mode == .hostPassthrough, migratable == nil { migratable = Self.defaultMigratable(context) }
        if mode != .custom || model != nil, check == nil {
            switch mode ?? .custom {
            case .hostPassthrough, .maximum: check = Check.none
            case .hostModel: check = .partial
            case .custom: check = context.type == .qemu ? Check.none : .partial
            }
        }
        completeModel()
        guard mode == .custom, model == nil, check != nil else { return }
        throw VirtError.unsupported("check attribute specified for CPU with no model")
    }

    private static func defaultMigratable(_ context: DomainCompletion) -> Bool? {
        if context.emulator.has("cpu.migratable") { return true }
        return context.machine.isX86 ? false : nil
    }

    /// Takes the CPU that QEMU would take by itself, so that another version can't change it.
    ///
    /// - Parameter cpu: what the definition says of the CPU, if anything.
    static func completeDefault(_ cpu: inout CPU?, _ context: DomainCompletion) throws(VirtError) {
        if let cpu, cpu.mode != .custom || cpu.model != nil { return }
        let machine = context.machine
        let isNamed = machine.isX86 || machine.isS390 || machine.isPPC64
        guard isNamed || machine.isARM && context.type == .qemu else { return }
        guard let model = context.emulator.machine(machine.machine)?.defaultCPU[context.type] else { return }
        var new = cpu ?? CPU()
        if model == "host" {
            guard context.type == .kvm else {
                throw VirtError(
                    .internalError, .qemu,
                    "QEMU reports invalid default CPU model \"host\" for non-kvm domain virt type")
            }
            new.mode = machine.isS390 ? .hostModel : .hostPassthrough
        } else {
            new.mode = .custom
            new.match = .exact
            new.check = Check.none
            new.model = Model(name: model, fallback: .forbid)
        }
        cpu = new
    }

    private mutating func completeModel() {
        guard mode == .custom || mode == .hostModel else {
            model = nil
            return
        }
        if mode == .hostModel, model?.name == nil {
            // The host says which model it is.
            model?.fallback = nil
            if model?.vendorID == nil { model = nil }
        } else if model != nil, model?.fallback == nil {
            model?.fallback = .allow
        }
    }

    private func checkCache(_ machine: MachineKind) throws(VirtError) {
        guard let cache else { return }
        let name = cache.mode.rawValue
        guard machine.isX86 else {
            throw VirtError.unsupported(
                "CPU cache specification is not supported for '\(machine.arch)' architecture", .qemu)
        }
        switch cache.mode {
        case .emulate where cache.level != 3:
            throw VirtError.unsupported("CPU cache mode '\(name)' can only be used with level='3'", .qemu)
        case .passthrough where mode != .hostPassthrough && mode != .maximum:
            throw VirtError.unsupported(
                "CPU cache mode '\(name)' can only be used with 'host-passthrough' / 'maximum' CPUs", .qemu)
        case .passthrough where cache.level != nil, .disable where cache.level != nil:
            throw VirtError.unsupported("unsupported CPU cache level for mode '\(name)'", .qemu)
        case .emulate, .passthrough, .disable: return
        }
    }

    /// Vector lengths of ARM's SVE ask for SVE itself.
    private mutating func completeSVE() throws(VirtError) {
        guard features.contains(where: { $0.name.hasPrefix("sve") && $0.name != "sve" }) else { return }
        guard let index = features.firstIndex(where: { $0.name == "sve" }) else {
            features.append(Feature("sve", .require))
            return
        }
        if features[index].policy == .disable || features[index].policy == .forbid {
            throw VirtError.unsupported("SVE disabled, but SVE vector lengths provided", .qemu)
        }
        features[index].policy = .require
    }
}

extension CPU.PhysicalAddress {
    /// The number of bits is said if and only if it is not the host's.
    fileprivate func check() throws(VirtError) {
        switch mode {
        case .emulate where bits == nil:
            throw VirtError.unsupported(
                "if using CPU maximum physical address mode='emulate', bits= must be specified too")
        case .passthrough where bits != nil:
            throw VirtError.unsupported(
                "CPU maximum physical address bits number specification cannot be used with mode='passthrough'")
        case .emulate, .passthrough: return
        }
    }
}
