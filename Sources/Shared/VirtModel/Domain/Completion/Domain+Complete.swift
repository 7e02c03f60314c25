import VirtCore
import VirtXML

extension Domain {
    /// Fills in what a definition leaves to libvirt: identity, defaults of the machine and its devices, devices that
    /// every such machine has, and addresses. What is filled in is guest ABI, so the order of the steps matters; it is
    /// libvirt's. `isNew` allows choices that would change an existing guest.
    package mutating func complete(_ context: DomainCompletionContext, isNew: Bool = true) throws {
        try completeIdentity()
        try completeEmulator(context)
        guard let emulator = context.emulator(of: self) else {
            throw VirtError.unsupported("No emulator found for arch '\(os.arch ?? "")'", .qemu)
        }
        var completion = DomainCompletion(context: context, emulator: emulator, isNew: isNew)
        try completion.run(&self)
    }
}

/// One run of completing a domain, with what it is completed for.
struct DomainCompletion {
    let context: DomainCompletionContext
    let emulator: DomainCompletionContext.Emulator
    let isNew: Bool
    var machine = MachineKind(arch: "", machine: "")

    mutating func run(_ domain: inout Domain) throws {
        try domain.assignISAPorts()
        try domain.sortDevices()
        domain.addEarlySCSIControllers()
        domain.assignControllerIndexes()
        domain.completeSecurityLabels(context.securityModel)
        try completeMachine(&domain)
        try addDefaultDevices(&domain)
        canonicalizeMachine(&domain)
        try completeCPU(&domain)
        completeFeatures(&domain)
        try checkVCPUs(&domain)
        try completeNUMA(&domain)
        try completeDevices(&domain)
        try completeCommon(&domain)
        if emulator.virtTypes.contains(domain.type), emulator.supports(arch: machine.arch) {
            try emulator.checkMachine(of: domain)
        }
        try assignAddresses(&domain)
    }

    private mutating func completeMachine(_ domain: inout Domain) throws {
        if domain.os.machine == nil {
            guard let preferred = emulator.preferredMachine(for: domain.type) else {
                throw VirtError(
                    .invalidArg, .qemu,
                    "could not get preferred machine for \(emulator.path) type=\(domain.type.rawValue)")
            }
            domain.os.machine = preferred.name
        }
        machine = domain.machineKind
        completeNVRAM(&domain)
    }

    /// A UEFI guest with a flash image of its own keeps its variables in a file named after it.
    private func completeNVRAM(_ domain: inout Domain) {
        guard let loader = domain.os.loader, loader.type == .pflash, loader.readonly == true,
            domain.os.firmware == nil
        else { return }
        var file = domain.os.nvram ?? OperatingSystem.NVRAMFile()
        guard file.path == nil, file.type == nil, loader.stateless != true else { return }
        file.path = "\(context.nvramDirectory)/\(domain.name)_VARS.fd"
        domain.os.nvram = file
    }

    private mutating func canonicalizeMachine(_ domain: inout Domain) {
        if let name = domain.os.machine, let known = emulator.machine(name) { domain.os.machine = known.name }
        machine = domain.machineKind
    }

    /// What libvirt does once all devices are known by their own rules.
    private func completeCommon(_ domain: inout Domain) throws {
        try domain.completeVCPUStates()
        try domain.completeMemory(isNew: isNew)
        if domain.os.loader?.path != nil, domain.os.loader?.type == nil { domain.os.loader?.type = .rom }
        try domain.rejectDuplicateControllers()
        try domain.rejectDuplicatePanics()
        try domain.completeBootOrder()
        try domain.checkTimers()
        try domain.addConsoleForSerial()
        try addImplicitControllers(&domain)
        addImplicitVideo(&domain)
        completePrimaryVideo(&domain)
        if !domain.devices.serials.isEmpty { try completeSerial(at: 0, &domain) }
        for index in domain.devices.controllers.indices where domain.devices.controllers[index].type == .scsi {
            try complete(&domain.devices.controllers[index], domain.cpu?.numa?.cells.count ?? 0)
        }
        domain.completeSpiceListens()
    }
}
