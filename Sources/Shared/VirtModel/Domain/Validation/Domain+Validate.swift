import VirtCore
import VirtXML

extension Domain {
    /// Refuses what the host or QEMU can't do, with libvirt's codes and texts. The domain is complete.
    package func validate(_ context: DomainCompletionContext) throws {
        guard let emulator = context.emulator(of: self) else {
            throw VirtError.unsupported("No emulator found for arch '\(os.arch ?? "")'", .qemu)
        }
        let validation = DomainValidation(domain: self, context: context, emulator: emulator)
        try validation.checkDevices()
        try validation.checkDomain()
    }
}

/// One run of validating a domain. Each device type has an extension of its own.
struct DomainValidation {
    let domain: Domain
    let context: DomainCompletionContext
    let emulator: DomainCompletionContext.Emulator

    var machine: MachineKind { domain.machineKind }
    var devices: Devices { domain.devices }

    /// "arch=... machine=..." in the words of libvirt's errors.
    var placeText: String { "architecture '\(machine.arch)' or machine type '\(machine.machine)'" }

    func checkDevices() throws {
        for disk in devices.disks { try check(disk) }
        for controller in devices.controllers { try check(controller) }
        for interface in devices.interfaces { try check(interface) }
        for filesystem in devices.filesystems { try check(filesystem) }
        try checkCharacterDevices()
        for graphics in devices.graphics { try check(graphics) }
        try checkVideos()
        for hostdev in devices.hostdevs { try check(hostdev) }
        try checkSmallDevices()
        try checkRest()
    }

    func checkDomain() throws {
        try checkEmulator()
        try checkDuplicates()
        try checkFirmware()
        try checkFeatures()
        try checkTimers()
        try checkMemory()
        try checkNUMA()
        try checkThreads()
        try checkSecurity()
        try checkSysinfo()
    }

    private func checkEmulator() throws {
        let name = "Emulator '\(emulator.path)' does not support"
        guard emulator.virtTypes.contains(domain.type) else {
            throw VirtError.unsupported("\(name) virt type '\(domain.type.rawValue)'", .qemu)
        }
        guard emulator.supports(arch: domain.os.arch ?? "") else {
            throw VirtError.unsupported("\(name) arch '\(domain.os.arch ?? "")'", .qemu)
        }
        try emulator.checkMachine(of: domain)
    }
}

extension DomainCompletionContext.Emulator {
    /// Refuses a machine type that the emulator does not have.
    func checkMachine(of domain: Domain) throws {
        guard let name = domain.os.machine, machine(name) != nil else {
            throw VirtError.unsupported(
                "Emulator '\(path)' does not support machine type '\(domain.os.machine ?? "")'", .qemu)
        }
    }
}
