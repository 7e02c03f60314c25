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
        var completion = DomainCompletion(self, context, emulator, isNew: isNew)
        try completion.run(&self)
    }
}

/// One run of completing a domain, with what its parts are completed for. It runs the steps that look at several parts;
/// what concerns one part alone stands with its type.
struct DomainCompletion {
    let host: DomainCompletionContext
    let emulator: DomainCompletionContext.Emulator
    let isNew: Bool
    let type: Domain.Kind
    /// How many NUMA nodes the guest has.
    let nodeCount: Int
    private(set) var machine: MachineKind

    init(
        _ domain: borrowing Domain, _ host: DomainCompletionContext, _ emulator: DomainCompletionContext.Emulator,
        isNew: Bool
    ) {
        self.host = host
        self.emulator = emulator
        self.isNew = isNew
        type = domain.type
        nodeCount = domain.cpu?.numa?.cells.count ?? 0
        machine = domain.machineKind
    }

    mutating func run(_ domain: inout Domain) throws {
        try domain.assignISAPorts()
        try domain.sortDevices()
        domain.addEarlySCSIControllers()
        domain.assignControllerIndexes()
        domain.completeSecurityLabels(host.securityModel)
        try chooseMachine(&domain)
        domain.os.complete(self, guest: domain.name)
        try addDefaultDevices(&domain)
        canonicalizeMachine(&domain)
        try completeProcessors(&domain)
        try completeDevices(&domain)
        try completeCommon(&domain)
        if emulator.virtTypes.contains(domain.type), emulator.supports(arch: machine.arch) {
            try emulator.checkMachine(of: domain)
        }
        try assignAddresses(&domain)
    }

    private mutating func chooseMachine(_ domain: inout Domain) throws(VirtError) {
        if domain.os.machine == nil {
            guard let preferred = emulator.preferredMachine(for: domain.type) else {
                throw VirtError(
                    .invalidArg, .qemu,
                    "could not get preferred machine for \(emulator.path) type=\(domain.type.rawValue)")
            }
            domain.os.machine = preferred.name
        }
        machine = domain.machineKind
    }

    private mutating func canonicalizeMachine(_ domain: inout Domain) {
        if let name = domain.os.machine, let known = emulator.machine(name) { domain.os.machine = known.name }
        machine = domain.machineKind
    }

    private func completeProcessors(_ domain: inout Domain) throws(VirtError) {
        try CPU.completeDefault(&domain.cpu, self)
        try domain.cpu?.complete(self)
        try domain.features.complete(self)
        try VCPUs.State.check(domain.vcpuStates)
        domain.cpu?.numa?.complete(maximum: domain.vcpu.maximum)
    }

    /// What libvirt does once all devices are known by their own rules.
    private func completeCommon(_ domain: inout Domain) throws {
        for index in domain.vcpuStates.indices { try domain.vcpuStates[index].complete() }
        try domain.completeMemory(isNew: isNew)
        try domain.rejectDuplicateControllers()
        try domain.rejectDuplicatePanics()
        try domain.completeBootOrder()
        for timer in domain.clock.timers { try timer.checkSettings() }
        try domain.addConsoleForSerial()
        try addImplicitControllers(&domain)
        addImplicitVideo(&domain)
        completePrimaryVideo(&domain)
        // These may be new.
        if !domain.devices.serials.isEmpty { try domain.devices.serials[0].complete(self) }
        for index in domain.devices.controllers.indices where domain.devices.controllers[index].type == .scsi {
            try domain.devices.controllers[index].complete(self)
        }
    }
}
