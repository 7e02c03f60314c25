import VirtCore
import VirtModel

/// Finding the device that a document means, and taking it out of a definition.
extension Devices {
    /// Removes the one device of `other` that is the same as one of these; libvirt's error when there is none.
    mutating func remove(_ other: Devices, kind: String, isLive: Bool) throws(VirtError) {
        if !isLive { try Self.refuse("detach", kind) }
        if let disk = other.disks.first {
            _ = disks.remove(at: try diskIndex(disk, isLive: isLive))
            return
        }
        if let interface = other.interfaces.first {
            _ = interfaces.remove(at: try interfaceIndex(interface))
            return
        }
        if let rng = other.rngs.first {
            return try remove(\.rngs, "no matching RNG device was found") { $0.isSame(rng) }
        }
        if let device = other.redirectedDevices.first {
            return try remove(\.redirectedDevices, "no matching redirdev was not found") {
                $0.bus == device.bus && $0.source.isSame(device.source)
            }
        }
        if try removeCharacterDevice(other, kind, isLive) { return }
        try removeOther(other, isLive)
    }

    func diskIndex(_ disk: Disk, isLive: Bool) throws(VirtError) -> Int {
        let name = disk.target.dev ?? ""
        guard let index = disks.firstIndex(where: { $0.target.dev == name }) else {
            throw VirtError(.deviceMissing, .qemu, isLive ? "disk \(name) not found" : "no target device \(name)")
        }
        return index
    }

    func interfaceIndex(_ interface: Interface) throws(VirtError) -> Int {
        let found = interfaces.indices.filter { index in
            let other = interfaces[index]
            if let mac = interface.mac, other.mac != mac { return false }
            if let address = interface.info.address, other.info.address != address { return false }
            if let alias = interface.info.alias, other.info.alias != alias { return false }
            return true
        }
        let mac = interface.mac?.description ?? "(<null>)"
        guard let index = found.first else {
            let place = interface.info.address?.pci?.text ?? "(<null>)"
            throw VirtError(
                .deviceMissing, .domain,
                "no device found at address '\(place)' matching MAC address '\(mac)' and alias "
                    + "'\(interface.info.alias ?? "(<null>)")'")
        }
        guard found.count == 1 else {
            throw VirtError(.operationFailed, .domain, "multiple devices matching MAC address \(mac) found")
        }
        return index
    }

    private mutating func remove<Device>(
        _ list: WritableKeyPath<Devices, [Device]>, _ missing: String, code: VirtError.Code = .deviceMissing,
        where isSame: (Device) -> Bool
    ) throws(VirtError) {
        guard let index = self[keyPath: list].firstIndex(where: isSame) else {
            throw VirtError(code, .qemu, missing)
        }
        self[keyPath: list].remove(at: index)
    }

    private mutating func removeCharacterDevice(
        _ other: Devices, _ kind: String, _ isLive: Bool
    ) throws(VirtError) -> Bool {
        let missing =
            isLive
            ? "chr type '\(kind)' device not present in domain configuration"
            : "device not present in domain configuration"
        let code: VirtError.Code = isLive ? .deviceMissing : .invalidArg
        if let channel = other.channels.first {
            try remove(\.channels, missing, code: code) {
                $0.source.isSame(channel.source) && $0.target == channel.target && $0.name == channel.name
            }
        } else if let serial = other.serials.first {
            try remove(\.serials, missing, code: code) {
                $0.source.isSame(serial.source) && (serial.port == nil || $0.port == serial.port)
            }
        } else if let console = other.consoles.first {
            try remove(\.consoles, missing, code: code) {
                $0.source.isSame(console.source) && (console.port == nil || $0.port == console.port)
            }
        } else if let parallel = other.parallels.first {
            try remove(\.parallels, missing, code: code) {
                $0.source.isSame(parallel.source) && (parallel.port == nil || $0.port == parallel.port)
            }
        } else {
            return false
        }
        return true
    }

    private mutating func removeOther(_ other: Devices, _ isLive: Bool) throws(VirtError) {
        let missing = "device not present in domain configuration"
        if let device = other.controllers.first {
            let text = "controller \(device.type.rawValue):\(device.index ?? 0) not found"
            try remove(\.controllers, isLive ? text : missing) {
                $0.type == device.type && $0.index == device.index
            }
        } else if let device = other.hostdevs.first {
            try remove(\.hostdevs, missing) { $0.isSameDevice(as: device) }
        } else if let device = other.inputs.first {
            try remove(\.inputs, "matching input device not found") { $0.type == device.type && $0.bus == device.bus }
        } else if let device = other.filesystems.first {
            try remove(\.filesystems, "no matching filesystem device was found") {
                $0.targetDirectory == device.targetDirectory
            }
        } else if let device = other.sounds.first {
            try remove(\.sounds, missing) { $0.model == device.model }
        } else if let device = other.watchdogs.first {
            try remove(\.watchdogs, isLive ? missing : "domain has no watchdog") {
                !isLive || $0.model == device.model && $0.action == device.action
            }
        } else if let device = other.sharedMemories.first {
            try remove(\.sharedMemories, "matching shmem device was not found") {
                $0.name == device.name && $0.model == device.model
            }
        } else if let device = other.memories.first {
            try remove(\.memories, "matching memory device was not found") {
                Self.plain($0, \.info) == Self.plain(device, \.info)
            }
        } else if other.memballoon != nil, memballoon != nil {
            memballoon = nil
        } else if let device = other.vsock {
            guard let own = vsock, Self.plain(own, \.info) == Self.plain(device, \.info) else {
                throw VirtError(.operationFailed, .qemu, "matching vsock device not found")
            }
            vsock = nil
        } else {
            throw VirtError(.deviceMissing, .qemu, missing)
        }
    }

    /// A device without what a guest's definition adds to it.
    private static func plain<Device>(_ device: Device, _ info: WritableKeyPath<Device, DeviceInfo>) -> Device {
        var device = device
        device[keyPath: info] = DeviceInfo()
        return device
    }

    /// Takes a device out by its alias; the devices that were taken, in a list of their own.
    mutating func take(alias: String) -> Devices {
        var taken = Devices()
        func move<Device>(
            _ list: WritableKeyPath<Devices, [Device]>, _ info: KeyPath<Device, DeviceInfo>, _ from: inout Devices
        ) {
            taken[keyPath: list] = from[keyPath: list].filter { $0[keyPath: info].alias == alias }
            from[keyPath: list].removeAll { $0[keyPath: info].alias == alias }
        }
        move(\.disks, \.info, &self)
        move(\.interfaces, \.info, &self)
        move(\.controllers, \.info, &self)
        move(\.filesystems, \.info, &self)
        move(\.smartcards, \.info, &self)
        move(\.serials, \.info, &self)
        move(\.parallels, \.info, &self)
        move(\.consoles, \.info, &self)
        move(\.channels, \.info, &self)
        move(\.inputs, \.info, &self)
        move(\.sounds, \.info, &self)
        move(\.hostdevs, \.info, &self)
        move(\.redirectedDevices, \.info, &self)
        move(\.watchdogs, \.info, &self)
        move(\.rngs, \.info, &self)
        move(\.sharedMemories, \.info, &self)
        move(\.memories, \.info, &self)
        return taken
    }
}

extension CharacterSource {
    /// The same host end: what a document says of it, not what a running guest has besides.
    func isSame(_ other: CharacterSource) -> Bool {
        guard type == other.type else { return false }
        switch type {
        case .pty, .null, .vc, .stdio, .spicevmc, .qemuVDAgent: return true
        case .dev, .file, .pipe, .unix, .nmdm: return path == other.path
        case .tcp: return host == other.host && service == other.service
        case .udp:
            return host == other.host && service == other.service && bindHost == other.bindHost
                && bindService == other.bindService
        case .spiceport, .dbus: return channel == other.channel
        }
    }
}

extension RandomGenerator {
    func isSame(_ other: RandomGenerator) -> Bool {
        model == other.model && rateBytes == other.rateBytes && ratePeriod == other.ratePeriod
            && backend == other.backend
            && (backend != .random || (device ?? "/dev/urandom") == (other.device ?? "/dev/urandom"))
            && (backend != .egd || source.isSame(other.source))
    }
}
