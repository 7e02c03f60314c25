package import VirtModel

extension Domain {
    /// Names every device that has no name yet, as libvirt does at start: by kind, place or number.
    package mutating func assignAliases() {
        let machine = MachineTraits(self)
        for index in devices.controllers.indices { devices.controllers[index].assignAlias(machine) }
        let short = Set(devices.controllers.filter { $0.model?.hasSingleLUNs == true }.map { $0.index ?? 0 })
        for index in devices.disks.indices { devices.disks[index].assignAlias(index, withoutTarget: short) }
        number(\.filesystems, \.info, "fs")
        for index in devices.interfaces.indices where devices.interfaces[index].actualType == .hostdev {
            name(&devices.interfaces[index].info, "hostdev", taken: devices.interfaces.map(\.info))
        }
        number(\.interfaces, \.info, "net")
        number(\.sounds, \.info, "sound")
        number(\.hostdevs, \.info, "hostdev")
        number(\.redirectedDevices, \.info, "redir")
        number(\.videos, \.info, "video")
        assignCharacterAliases()
        number(\.inputs, \.info, "input")
        number(\.hubs, \.info, "hub")
        number(\.sharedMemories, \.info, "shmem")
        number(\.smartcards, \.info, "smartcard")
        number(\.watchdogs, \.info, "watchdog")
        number(\.rngs, \.info, "rng")
        number(\.tpms, \.info, "tpm")
        number(\.cryptos, \.info, "crypto")
        assignMemoryAliases()
        Self.name(&devices.memballoon, \.info, "balloon0")
        Self.name(&devices.nvram, \.info, "nvram")
        Self.name(&devices.vsock, \.info, "vsock0")
        Self.name(&devices.iommu, \.info, "iommu0")
        number(\.panics, \.info, "panic")
    }

    /// Gives each device of a list the next free number after the name.
    private mutating func number<Device>(
        _ list: WritableKeyPath<Devices, [Device]>, _ info: WritableKeyPath<Device, DeviceInfo>, _ prefix: String
    ) {
        for index in devices[keyPath: list].indices where devices[keyPath: list][index][keyPath: info].alias == nil {
            let taken = devices[keyPath: list].map { $0[keyPath: info] }
            name(&devices[keyPath: list][index][keyPath: info], prefix, taken: taken)
        }
    }

    private func name(_ info: inout DeviceInfo, _ prefix: String, taken: [DeviceInfo]) {
        guard info.alias == nil else { return }
        let numbers = taken.compactMap { other -> UInt32? in
            guard let alias = other.alias, alias.hasPrefix(prefix) else { return nil }
            return UInt32(alias.dropFirst(prefix.count))
        }
        info.alias = prefix + String((numbers.max().map { $0 &+ 1 }) ?? 0)
    }

    private static func name<Device>(
        _ device: inout Device?, _ info: WritableKeyPath<Device, DeviceInfo>, _ alias: String
    ) {
        guard var own = device, own[keyPath: info].alias == nil else { return }
        own[keyPath: info].alias = alias
        device = own
    }

    private mutating func assignCharacterAliases() {
        number(\.parallels, \.info, "parallel")
        number(\.serials, \.info, "serial")
        number(\.channels, \.info, "channel")
        // A console that shows the first serial port bears its name.
        if let first = devices.consoles.first, first.info.alias == nil, first.target ?? .serial == .serial,
            let serial = devices.serials.first
        {
            devices.consoles[0].info.alias = serial.info.alias
        }
        for index in devices.consoles.indices where devices.consoles[index].info.alias == nil {
            devices.consoles[index].info.alias = "console\(index)"
        }
    }

    private mutating func assignMemoryAliases() {
        for index in devices.memories.indices where devices.memories[index].info.alias == nil {
            let prefix =
                switch devices.memories[index].model {
                case .dimm: "dimm"
                case .nvdimm: "nvdimm"
                case .virtioPMEM: "virtiopmem"
                case .virtioMem: "virtiomem"
                case .sgxEPC: "epc"
                }
            if case .dimm(let place) = devices.memories[index].info.address {
                devices.memories[index].info.alias = prefix + String(place.slot)
            } else {
                name(&devices.memories[index].info, prefix, taken: devices.memories.map(\.info))
            }
        }
    }
}

extension Controller {
    fileprivate mutating func assignAlias(_ machine: MachineTraits) {
        guard info.alias == nil else { return }
        let number = index ?? 0
        switch type {
        case .pci: info.alias = (machine.hasPCIeRoot && model == .pcieRoot ? "pcie." : "pci.") + String(number)
        case .ide: info.alias = machine.hasBuiltInIDE && number == 0 ? "ide" : "ide\(number)"
        case .sata: info.alias = machine.isQ35 && number == 0 ? "ide" : "sata\(number)"
        case .usb: info.alias = number == 0 ? "usb" : "usb\(number)"
        case .scsi: info.alias = model == .ncr53c90 && number == 0 ? "scsi" : "scsi\(number)"
        case .fdc, .ccid, .virtioSerial, .xenbus, .isa: info.alias = type.rawValue + String(number)
        }
    }
}

extension Disk {
    /// - Parameter withoutTarget: the SCSI controllers whose targets have one unit each.
    fileprivate mutating func assignAlias(_ position: Int, withoutTarget: Set<UInt32>) {
        guard info.alias == nil else { return }
        let number = Self.number(of: target.dev ?? "") ?? position
        switch (target.bus, info.address) {
        case (.virtio?, _): info.alias = "virtio-disk\(number)"
        case (.usb?, _): info.alias = "usb-disk\(number)"
        case (let bus?, .drive(let place)):
            let hasTarget = bus == .scsi && !withoutTarget.contains(place.controller)
            let parts = [place.controller, place.bus] + (hasTarget ? [place.target] : []) + [place.unit]
            info.alias = bus.rawValue + parts.map { String($0) }.joined(separator: "-")
        case (let bus?, _): info.alias = "\(bus.rawValue)-disk\(number)"
        case (nil, _): info.alias = "disk\(number)"
        }
    }

    /// The number that a device name's letters stand for: vda 0, vdz 25, vdaa 26.
    package static func number(of name: String) -> Int? {
        let prefixes = ["fd", "hd", "vd", "sd", "xvd", "ubd"]
        guard let prefix = prefixes.first(where: name.hasPrefix) else { return nil }
        let letters = name.dropFirst(prefix.count).prefix { $0.isASCII && $0.isLowercase }
        guard !letters.isEmpty, letters.count < 6 else { return nil }
        return letters.utf8.reduce(0) { $0 * 26 + Int($1) - 96 } - 1
    }
}
