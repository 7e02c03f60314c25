package import VirtModel

extension DomainCompletionContext.Emulator {
    /// What completing a definition needs to know of a QEMU.
    package init(_ path: String, _ facts: QEMUCapabilities) {
        var types: Set<Domain.Kind> = []
        if facts.has(.kvm) { types.insert(.kvm) }
        if facts.has(.tcg) { types.insert(.qemu) }
        let machines = (facts.tcg.machines.isEmpty ? facts.kvm.machines : facts.tcg.machines).map { machine in
            var defaults: [Domain.Kind: String] = [:]
            if let type = machine.defaultCPU { defaults[.qemu] = Self.model(type, facts.tcg) }
            if let type = facts.kvm.machines.first(where: { $0.name == machine.name })?.defaultCPU {
                defaults[.kvm] = Self.model(type, facts.kvm)
            }
            return DomainCompletionContext.Machine(
                name: machine.name, alias: machine.alias, isDefault: machine.isDefault, defaultCPU: defaults,
                maximumCPUs: machine.maximumCPUs)
        }
        self.init(
            path: path, arch: facts.architecture, virtTypes: types, machines: machines,
            flags: Set(facts.flags.map(\.rawValue)))
    }

    /// libvirt's name of a processor type: the models' list knows it.
    private static func model(_ type: String, _ accelerator: QEMUCapabilities.Accelerator) -> String {
        if let known = accelerator.cpus.first(where: { $0.typeName == type }) { return known.name }
        for suffix in ["-x86_64-cpu", "-i386-cpu", "-arm-cpu", "-s390x-cpu", "-riscv64-cpu"]
        where type.hasSuffix(suffix) {
            return String(type.dropLast(suffix.count))
        }
        return type
    }
}
