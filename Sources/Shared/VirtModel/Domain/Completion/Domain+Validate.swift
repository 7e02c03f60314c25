import VirtCore
import VirtXML

extension Domain {
    /// Refuses what the host or QEMU can't do, with libvirt's codes and texts. The domain is complete.
    package func validate(_ context: DomainCompletionContext) throws {
        guard let emulator = context.emulator(of: self) else {
            throw VirtError.unsupported("No emulator found for arch '\(os.arch ?? "")'", .qemu)
        }
        try validateEmulator(emulator)
    }

    private func validateEmulator(_ emulator: DomainCompletionContext.Emulator) throws {
        let name = "Emulator '\(emulator.path)' does not support"
        guard emulator.virtTypes.contains(type) else {
            throw VirtError.unsupported("\(name) virt type '\(type.rawValue)'", .qemu)
        }
        guard emulator.supports(arch: os.arch ?? "") else {
            throw VirtError.unsupported("\(name) arch '\(os.arch ?? "")'", .qemu)
        }
        guard let machine = os.machine, emulator.machine(machine) != nil else {
            throw VirtError.unsupported("\(name) machine type '\(os.machine ?? "")'", .qemu)
        }
    }
}
