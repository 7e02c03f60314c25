import VirtCore
import VirtXML

extension DomainCompletion {
    /// Ports of virtio-serial controllers; port 0 of each is for consoles.
    func assignVirtioSerial(_ domain: inout Domain) throws {
        var ports = try VirtioSerialPorts(domain)
        for index in domain.devices.consoles.indices where domain.devices.consoles[index].target == .virtio {
            var info = domain.devices.consoles[index].info
            try ports.assign(&domain, &info, isConsole: true)
        }
        for index in domain.devices.channels.indices where domain.devices.channels[index].target == .virtio {
            var info = domain.devices.channels[index].info
            try ports.assign(&domain, &info, isConsole: false)
            domain.devices.channels[index].info = info
        }
    }

    /// Registers on POWER's virtual bus: the first of each kind where QEMU has it, others after it.
    func assignSpaprVIO(_ domain: inout Domain) throws {
        var registers = SpaprRegisters()
        domain.eachInfo { info in
            if case .spaprVIO(let address) = info.address, let reg = address.reg { registers.note(reg) }
        }
        for i in domain.devices.interfaces.indices {
            if domain.devices.interfaces[i].model == "spapr-vlan" {
                domain.devices.interfaces[i].info.wantSpaprVIO()
            }
            try registers.assign(&domain.devices.interfaces[i].info, 0x1000)
        }
        for i in domain.devices.controllers.indices {
            if domain.devices.controllers[i].type == .scsi, domain.devices.controllers[i].model == .ibmvscsi {
                domain.devices.controllers[i].info.wantSpaprVIO()
            }
            try registers.assign(&domain.devices.controllers[i].info, 0x2000)
        }
        for i in domain.devices.serials.indices {
            if domain.devices.serials[i].target == .spaprVIO { domain.devices.serials[i].info.wantSpaprVIO() }
            try registers.assign(&domain.devices.serials[i].info, 0x3000_0000)
        }
        if var nvram = domain.devices.nvram {
            if machine.isPSeries { nvram.info.wantSpaprVIO() }
            try registers.assign(&nvram.info, 0x3000)
            domain.devices.nvram = nvram
        }
        for i in domain.devices.tpms.indices {
            if machine.isPSeries, domain.devices.tpms[i].model != .spaprProxy {
                domain.devices.tpms[i].info.wantSpaprVIO()
            }
            try registers.assign(&domain.devices.tpms[i].info, 0x4000)
        }
        if let index = domain.devices.consoles.indices.first, domain.isFirstConsoleSerial {
            domain.devices.consoles[index].info.address = domain.devices.serials[0].info.address
        }
    }

    /// Machines without PCI, and guests that chose it, have virtio devices on the memory bus.
    func assignVirtioMMIO(_ domain: inout Domain) throws {
        guard machine.isARM || machine.isRISCV else { return }
        guard machine.machine.hasPrefix("vexpress-") || machine.isARMVirt || machine.isRISCVVirt else { return }
        var hasMMIO = false
        domain.eachInfo { info in if info.address == .virtioMMIO { hasMMIO = true } }
        let hasPCIe = domain.controller(.pci, 0)?.model == .pcieRoot
        let hasPorts = emulator.has("pcie-root-port") || emulator.has("ioh3420")
        if hasPCIe, hasPorts, !hasMMIO { return }
        guard emulator.has("virtio-mmio") else { return }
        var bus = VirtioMMIOBus()
        try domain.visitDevices(&bus)
    }

    /// The slots of memory modules.
    func assignMemorySlots(_ domain: inout Domain) throws {
        guard let slots = domain.maximumMemory?.slots else { return }
        var used: Set<UInt32> = []
        for memory in domain.devices.memories {
            if case .dimm(let address) = memory.info.address { used.insert(address.slot) }
        }
        for index in domain.devices.memories.indices {
            let memory = domain.devices.memories[index]
            guard memory.model == .dimm || memory.model == .nvdimm, memory.info.address == nil else { continue }
            guard let free = (0..<min(slots, 4096)).first(where: { !used.contains($0) }) else {
                throw VirtError(.internalError, .qemu, "failed to find an empty memory slot")
            }
            used.insert(free)
            var address = DIMMAddress()
            address.slot = free
            domain.devices.memories[index].info.address = .dimm(address)
        }
    }
}

/// Puts virtio devices on the memory bus.
private struct VirtioMMIOBus: DeviceVisitor {
    func visit(_ device: inout some AddressedDevice) {
        if device.info.address == nil, device.isVirtio(ccw: false) { device.info.address = .virtioMMIO }
    }
}

/// Which registers of POWER's virtual bus are taken.
private struct SpaprRegisters {
    private var taken: [UInt64: Int] = [:]

    mutating func note(_ reg: UInt64) { taken[reg, default: 0] += 1 }

    mutating func assign(_ info: inout DeviceInfo, _ standard: UInt64) throws {
        guard case .spaprVIO(let address) = info.address else { return }
        if let reg = address.reg {
            guard taken[reg, default: 0] < 2 else {
                throw VirtError.malformed("spapr-vio address 0x\(String(reg, radix: 16)) already in use", .qemu)
            }
            return
        }
        var reg = standard
        while taken[reg] != nil { reg = reg &+ 0x1000 }
        note(reg)
        info.address = .spaprVIO(SpaprVIOAddress(reg: reg))
    }
}

extension DeviceInfo {
    fileprivate mutating func wantSpaprVIO() {
        if case .spaprVIO = address { return }
        address = .spaprVIO(SpaprVIOAddress(reg: nil))
    }
}
