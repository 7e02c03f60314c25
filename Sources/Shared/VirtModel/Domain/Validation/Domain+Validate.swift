import VirtCore
import VirtXML

extension Domain {
    /// Refuses what the host or QEMU can't do, with libvirt's codes and texts. The domain is complete.
    package func validate(_ context: DomainCompletionContext) throws {
        guard let emulator = context.emulator(of: self) else {
            throw VirtError.unsupported("No emulator found for arch '\(os.arch ?? "")'", .qemu)
        }
        let validation = DomainValidation(self, context, emulator)
        try validation.checkGuestKind()
        try validation.validate(devices)
        try validation.validateDomain()
    }

    /// The same for some of its devices, when these are new.
    package func validate(_ new: Devices, _ context: DomainCompletionContext) throws {
        guard let emulator = context.emulator(of: self) else { return }
        try DomainValidation(self, context, emulator).validate(new)
    }
}

/// One run of validating a domain, with what its parts are looked at for. It makes the checks that concern several
/// parts; those of one part alone stand with its type. The order decides which of two errors is told.
struct DomainValidation {
    let domain: Domain
    let host: DomainCompletionContext
    let emulator: DomainCompletionContext.Emulator
    let machine: MachineKind

    init(_ domain: Domain, _ host: DomainCompletionContext, _ emulator: DomainCompletionContext.Emulator) {
        self.domain = domain
        self.host = host
        self.emulator = emulator
        machine = domain.machineKind
    }

    var devices: Devices { domain.devices }

    /// "arch=... machine=..." in the words of libvirt's errors.
    var placeText: String { "architecture '\(machine.arch)' or machine type '\(machine.machine)'" }

    /// Whether another process can look into the guest's memory.
    var hasSharedMemory: Bool {
        if domain.memoryBacking.access == .shared { return true }
        let cells = domain.cpu?.numa?.cells ?? []
        return !cells.isEmpty && cells.allSatisfy { $0.access == .shared }
    }

    /// In the order in which libvirt looks at devices.
    func validate(_ devices: Devices) throws(VirtError) {
        try checkChannelAddresses(devices)
        try validate(devices.disks)
        try validate(devices.interfaces)
        try validate(devices.sounds)
        try validate(devices.hostdevs)
        try validate(devices.videos)
        try validate(devices.controllers)
        try validateCharacterDevices(devices)
        try validate(devices.inputs)
        try validate(devices.filesystems)
        try validate(devices.watchdogs)
        try validate(devices.memballoon)
        try validate(devices.rngs)
        try validate(devices.nvram)
        try validate(devices.hubs)
        try validate(devices.sharedMemories)
        try validate(devices.tpms)
        try validate(devices.panics)
        try validate(devices.redirectedDevices)
        try validate(devices.vsock)
        try validate(devices.cryptos)
        try validate(devices.iommu)
        try validate(devices.graphics)
        try validate(devices.audios)
        try validate(devices.leases)
        try checkAudioReferences()
    }

    /// Channel I/O is of mainframes only.
    private func checkChannelAddresses(_ devices: Devices) throws(VirtError) {
        guard !machine.isS390 else { return }
        var (misplaced, guest) = (DeviceInfo?.none, domain)
        guest.devices = devices
        guest.eachInfo { info in
            if misplaced == nil, info.address?.kind == .ccw { misplaced = info }
        }
        guard let misplaced else { return }
        throw VirtError.unsupported(
            "cannot use CCW address type for device '\(misplaced.alias ?? "<null>")' using machine type "
                + "'\(machine.machine)'", .qemu)
    }

    private func validateCharacterDevices(_ devices: Devices) throws(VirtError) {
        try validate(devices.smartcards)
        try validate(devices.serials)
        try validate(devices.parallels)
        try validate(devices.channels)
        try validate(devices.consoles)
    }

    private func validate<Device: GuestDevice>(_ devices: [Device]) throws(VirtError) {
        try Device.validate(all: devices, self)
        for index in devices.indices { try devices[index].validate(self) }
    }

    private func validate<Device: GuestDevice>(_ device: Device?) throws(VirtError) { try device?.validate(self) }

    func validateDomain() throws {
        try domain.checkLifecycle()
        try emulator.checkMachine(of: domain)
        try checkDuplicates()
        try domain.os.validate(self)
        try domain.features.validate(self)
        for timer in domain.clock.timers { try timer.validate(self) }
        try checkMemoryModules()
        try domain.memoryBacking.validate(self)
        try validate(devices.memories)
        try domain.numaTuning.validate()
        try domain.vcpu.validate(self)
        try domain.cpuTuning.validate(self)
        try SecurityLabel.validate(all: domain.securityLabels, self)
        try domain.launchSecurity?.validate(self)
        for table in domain.sysinfos { try table.validate(self) }
    }

    /// Refuses a guest that the emulator can't run at all.
    func checkGuestKind() throws(VirtError) {
        let name = "Emulator '\(emulator.path)' does not support"
        guard emulator.virtTypes.contains(domain.type) else {
            throw VirtError.unsupported("\(name) virt type '\(domain.type.rawValue)'", .qemu)
        }
        guard emulator.supports(arch: domain.os.arch ?? "") else {
            throw VirtError.unsupported("\(name) arch '\(domain.os.arch ?? "")'", .qemu)
        }
    }
}

extension DomainCompletionContext.Emulator {
    /// Refuses a machine type that the emulator does not have.
    func checkMachine(of domain: Domain) throws(VirtError) {
        guard let name = domain.os.machine, machine(name) != nil else {
            throw VirtError.unsupported(
                "Emulator '\(path)' does not support machine type '\(domain.os.machine ?? "")'", .qemu)
        }
    }
}
