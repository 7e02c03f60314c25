import QEMUCommand
import VirtCore
import VirtModel

/// Which QEMU a client means: what it leaves out is chosen as libvirt does.
struct HypervisorTarget {
    var emulator: String?
    var arch: String?
    var machine: String?
    var virtType: String?

    /// A QEMU that can do what was asked for.
    struct Hypervisor {
        var path: String
        var facts: QEMUCapabilities
        var architecture: String
        var isKVM: Bool
        /// nil when the emulator has no machine types at all.
        var machine: QEMUCapabilities.Machine?

        var requiredMachine: QEMUCapabilities.Machine {
            get throws(VirtError) {
                guard let machine else {
                    throw VirtError(.internalError, .qemu, "emulator '\(path)' has no machine types")
                }
                return machine
            }
        }
    }

    /// Finds the emulator and checks that it has the architecture, the accelerator and the machine type.
    func resolve(_ driver: QEMUDriver) async throws -> Hypervisor {
        let kind = try requestedKind()
        let architecture = arch ?? Emulators.hostArch
        guard Architecture.named(architecture) != nil else {
            throw VirtError(.invalidArg, .qemu, "unknown architecture: \(architecture)")
        }
        guard let path = emulator ?? QEMUCapabilitiesCache.emulator(for: architecture, host: Emulators.hostArch) else {
            throw VirtError(
                .configUnsupported, .qemu, "unable to find any emulator to serve '\(architecture)' architecture")
        }
        let facts = try await driver.capabilities.facts(of: path)
        try Self.check(architecture, facts, path)
        let isKVM = kind.map { $0 == .kvm } ?? facts.has(.kvm)
        try Self.check(kind ?? (isKVM ? .kvm : .qemu), facts, path)
        let machines = facts.accelerator(kvm: isKVM).machines
        guard let name = machine else {
            return Hypervisor(
                path: path, facts: facts, architecture: architecture, isKVM: isKVM, machine: machines.first)
        }
        guard let found = facts.machine(name, kvm: isKVM) else {
            throw VirtError(.invalidArg, .qemu, "the machine '\(name)' is not supported by emulator '\(path)'")
        }
        return Hypervisor(path: path, facts: facts, architecture: architecture, isKVM: isKVM, machine: found)
    }

    private func requestedKind() throws(VirtError) -> Domain.Kind? {
        guard let virtType, virtType != Domain.Kind.none.rawValue else { return nil }
        guard let kind = Domain.Kind(rawValue: virtType) else {
            throw VirtError(.invalidArg, .qemu, "unknown virttype: \(virtType)")
        }
        return kind
    }

    private static func check(
        _ architecture: String, _ facts: QEMUCapabilities, _ path: String
    ) throws(VirtError) {
        guard Architecture.areRelated(facts.architecture, architecture) else {
            throw VirtError(
                .invalidArg, .qemu,
                "architecture from emulator '\(facts.architecture)' doesn't match given architecture '\(architecture)'")
        }
    }

    private static func check(_ kind: Domain.Kind, _ facts: QEMUCapabilities, _ path: String) throws(VirtError) {
        let accelerator: (name: String, isThere: Bool) =
            switch kind {
            case .kvm: ("kvm", facts.has(.kvm))
            case .hvf: ("hvf", false)
            case .qemu: ("tcg", facts.has(.tcg))
            case .xen, .lxc, .vmware, .hyperv, .vbox, .phyp, .parallels, .bhyve, .vz, .test, .none, .kqemu, .uml,
                .openvz:
                ("tcg", false)
            }
        guard accelerator.isThere else {
            throw VirtError(
                .invalidArg, .qemu, "the accel '\(accelerator.name)' is not supported by '\(path)' on this host")
        }
    }
}
