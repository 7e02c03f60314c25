/// A device by its kind, while all devices with a common end are looked at.
package enum DeviceReference {
    case disk(Disk)
    case interface(Interface)
    case sound(Sound)
    case hostdev(Hostdev)
    case video(Video)
    case controller(Controller)
    case smartcard(Smartcard)
    case serial(SerialPort)
    case parallel(ParallelPort)
    case channel(Channel)
    case console(Console)
    case input(Input)
    case filesystem(Filesystem)
    case watchdog(Watchdog)
    case memballoon(MemoryBalloon)
    case rng(RandomGenerator)
    case nvram(NVRAMDevice)
    case hub(Hub)
    case sharedMemory(SharedMemory)
    case tpm(TPM)
    case panic(Panic)
    case memory(MemoryDevice)
    case redirectedDevice(RedirectedDevice)
    case vsock(VSock)
    case crypto(Crypto)
    case iommu(IOMMU)
}

extension Domain {
    /// Looks at the common part of each device, in libvirt's order, and may change it. A first console that is the
    /// first serial port under another name is left out.
    package mutating func visitInfos(_ body: (DeviceReference, inout DeviceInfo) throws -> Void) rethrows {
        try visitStorageAndNetwork(body)
        try visitCharacterDevices(body)
        try visitRest(body)
    }

    private mutating func visitStorageAndNetwork(
        _ body: (DeviceReference, inout DeviceInfo) throws -> Void
    ) rethrows {
        for i in devices.disks.indices { try body(.disk(devices.disks[i]), &devices.disks[i].info) }
        for i in devices.interfaces.indices {
            try body(.interface(devices.interfaces[i]), &devices.interfaces[i].info)
        }
        for i in devices.sounds.indices { try body(.sound(devices.sounds[i]), &devices.sounds[i].info) }
        for i in devices.hostdevs.indices { try body(.hostdev(devices.hostdevs[i]), &devices.hostdevs[i].info) }
        for i in devices.videos.indices { try body(.video(devices.videos[i]), &devices.videos[i].info) }
        for i in devices.controllers.indices {
            try body(.controller(devices.controllers[i]), &devices.controllers[i].info)
        }
    }

    private mutating func visitCharacterDevices(
        _ body: (DeviceReference, inout DeviceInfo) throws -> Void
    ) rethrows {
        for i in devices.smartcards.indices {
            try body(.smartcard(devices.smartcards[i]), &devices.smartcards[i].info)
        }
        for i in devices.serials.indices { try body(.serial(devices.serials[i]), &devices.serials[i].info) }
        for i in devices.parallels.indices { try body(.parallel(devices.parallels[i]), &devices.parallels[i].info) }
        for i in devices.channels.indices { try body(.channel(devices.channels[i]), &devices.channels[i].info) }
        for i in devices.consoles.indices where !(i == 0 && isFirstConsoleSerial) {
            try body(.console(devices.consoles[i]), &devices.consoles[i].info)
        }
    }

    private mutating func visitRest(_ body: (DeviceReference, inout DeviceInfo) throws -> Void) rethrows {
        for i in devices.inputs.indices { try body(.input(devices.inputs[i]), &devices.inputs[i].info) }
        for i in devices.filesystems.indices {
            try body(.filesystem(devices.filesystems[i]), &devices.filesystems[i].info)
        }
        for i in devices.watchdogs.indices { try body(.watchdog(devices.watchdogs[i]), &devices.watchdogs[i].info) }
        if var one = devices.memballoon {
            try body(.memballoon(one), &one.info)
            devices.memballoon = one
        }
        for i in devices.rngs.indices { try body(.rng(devices.rngs[i]), &devices.rngs[i].info) }
        if var one = devices.nvram {
            try body(.nvram(one), &one.info)
            devices.nvram = one
        }
        for i in devices.hubs.indices { try body(.hub(devices.hubs[i]), &devices.hubs[i].info) }
        for i in devices.sharedMemories.indices {
            try body(.sharedMemory(devices.sharedMemories[i]), &devices.sharedMemories[i].info)
        }
        for i in devices.tpms.indices { try body(.tpm(devices.tpms[i]), &devices.tpms[i].info) }
        for i in devices.panics.indices { try body(.panic(devices.panics[i]), &devices.panics[i].info) }
        for i in devices.memories.indices { try body(.memory(devices.memories[i]), &devices.memories[i].info) }
        for i in devices.redirectedDevices.indices {
            try body(.redirectedDevice(devices.redirectedDevices[i]), &devices.redirectedDevices[i].info)
        }
        if var one = devices.vsock {
            try body(.vsock(one), &one.info)
            devices.vsock = one
        }
        for i in devices.cryptos.indices { try body(.crypto(devices.cryptos[i]), &devices.cryptos[i].info) }
        if var one = devices.iommu {
            try body(.iommu(one), &one.info)
            devices.iommu = one
        }
    }

    /// Looks at the common part of each device, in the order of `visitInfos`: nothing is copied or changed.
    package func eachInfo(_ body: (DeviceInfo) throws -> Void) rethrows {
        for i in devices.disks.indices { try body(devices.disks[i].info) }
        for i in devices.interfaces.indices { try body(devices.interfaces[i].info) }
        for i in devices.sounds.indices { try body(devices.sounds[i].info) }
        for i in devices.hostdevs.indices { try body(devices.hostdevs[i].info) }
        for i in devices.videos.indices { try body(devices.videos[i].info) }
        for i in devices.controllers.indices { try body(devices.controllers[i].info) }
        for i in devices.smartcards.indices { try body(devices.smartcards[i].info) }
        for i in devices.serials.indices { try body(devices.serials[i].info) }
        for i in devices.parallels.indices { try body(devices.parallels[i].info) }
        for i in devices.channels.indices { try body(devices.channels[i].info) }
        for i in devices.consoles.indices where !(i == 0 && isFirstConsoleSerial) {
            try body(devices.consoles[i].info)
        }
        try eachOtherInfo(body)
    }

    private func eachOtherInfo(_ body: (DeviceInfo) throws -> Void) rethrows {
        for i in devices.inputs.indices { try body(devices.inputs[i].info) }
        for i in devices.filesystems.indices { try body(devices.filesystems[i].info) }
        for i in devices.watchdogs.indices { try body(devices.watchdogs[i].info) }
        if let info = devices.memballoon?.info { try body(info) }
        for i in devices.rngs.indices { try body(devices.rngs[i].info) }
        if let info = devices.nvram?.info { try body(info) }
        for i in devices.hubs.indices { try body(devices.hubs[i].info) }
        for i in devices.sharedMemories.indices { try body(devices.sharedMemories[i].info) }
        for i in devices.tpms.indices { try body(devices.tpms[i].info) }
        for i in devices.panics.indices { try body(devices.panics[i].info) }
        for i in devices.memories.indices { try body(devices.memories[i].info) }
        for i in devices.redirectedDevices.indices { try body(devices.redirectedDevices[i].info) }
        if let info = devices.vsock?.info { try body(info) }
        for i in devices.cryptos.indices { try body(devices.cryptos[i].info) }
        if let info = devices.iommu?.info { try body(info) }
    }

    /// The first console has the first serial port's place.
    var isFirstConsoleSerial: Bool {
        guard let console = devices.consoles.first, !devices.serials.isEmpty else { return false }
        return console.target == .serial || console.target == nil
    }
}
