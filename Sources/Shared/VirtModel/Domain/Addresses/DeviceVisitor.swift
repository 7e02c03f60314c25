/// What is done with each device in turn.
protocol DeviceVisitor {
    mutating func visit(_ device: inout some AddressedDevice) throws
}

extension Domain {
    /// Takes the visitor to each device, in libvirt's order. Devices are changed where they are, none is copied. A first
    /// console that is the first serial port under another name is left out.
    mutating func visitDevices(_ visitor: inout some DeviceVisitor) throws {
        for i in devices.disks.indices { try visitor.visit(&devices.disks[i]) }
        for i in devices.interfaces.indices { try visitor.visit(&devices.interfaces[i]) }
        for i in devices.sounds.indices { try visitor.visit(&devices.sounds[i]) }
        for i in devices.hostdevs.indices { try visitor.visit(&devices.hostdevs[i]) }
        for i in devices.videos.indices { try visitor.visit(&devices.videos[i]) }
        for i in devices.controllers.indices { try visitor.visit(&devices.controllers[i]) }
        for i in devices.smartcards.indices { try visitor.visit(&devices.smartcards[i]) }
        for i in devices.serials.indices { try visitor.visit(&devices.serials[i]) }
        for i in devices.parallels.indices { try visitor.visit(&devices.parallels[i]) }
        for i in devices.channels.indices { try visitor.visit(&devices.channels[i]) }
        for i in devices.consoles.indices where !(i == 0 && isFirstConsoleSerial) {
            try visitor.visit(&devices.consoles[i])
        }
        try visitOtherDevices(&visitor)
    }

    private mutating func visitOtherDevices(_ visitor: inout some DeviceVisitor) throws {
        for i in devices.inputs.indices { try visitor.visit(&devices.inputs[i]) }
        for i in devices.filesystems.indices { try visitor.visit(&devices.filesystems[i]) }
        for i in devices.watchdogs.indices { try visitor.visit(&devices.watchdogs[i]) }
        try visitor.visit(&devices.memballoon)
        for i in devices.rngs.indices { try visitor.visit(&devices.rngs[i]) }
        try visitor.visit(&devices.nvram)
        for i in devices.hubs.indices { try visitor.visit(&devices.hubs[i]) }
        for i in devices.sharedMemories.indices { try visitor.visit(&devices.sharedMemories[i]) }
        for i in devices.tpms.indices { try visitor.visit(&devices.tpms[i]) }
        for i in devices.panics.indices { try visitor.visit(&devices.panics[i]) }
        for i in devices.memories.indices { try visitor.visit(&devices.memories[i]) }
        for i in devices.redirectedDevices.indices { try visitor.visit(&devices.redirectedDevices[i]) }
        try visitor.visit(&devices.vsock)
        for i in devices.cryptos.indices { try visitor.visit(&devices.cryptos[i]) }
        try visitor.visit(&devices.iommu)
    }

    /// Looks at the common part of each device, in the same order: nothing is changed.
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

extension DeviceVisitor {
    /// A device of which a guest has one at most.
    fileprivate mutating func visit(_ device: inout (some AddressedDevice)?) throws {
        guard var one = device else { return }
        try visit(&one)
        device = one
    }
}
