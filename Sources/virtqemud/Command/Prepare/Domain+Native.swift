import VirtCore
package import VirtModel

extension Domain {
    /// Turns the guest into what `domxml-to-native` shows: nothing is opened or asked for, so every network card
    /// stands on a plain tap device and gets a new place, ports are those of a host without guests.
    package mutating func prepareForNative() {
        // An interface that is a device of the host leaves that device behind, without a place.
        let hosts = devices.interfaces.compactMap { interface -> Hostdev? in
            var device = interface.hostDevice
            device?.info = DeviceInfo()
            return device
        }
        devices.hostdevs = hosts + devices.hostdevs
        for index in devices.interfaces.indices {
            let old = devices.interfaces[index]
            var plain = Interface()
            plain.type = .ethernet
            plain.source.type = .ethernet
            plain.mac = old.mac
            plain.model = old.model
            plain.script = old.script
            devices.interfaces[index] = plain
        }
        var port: Int32 = 5900
        for index in devices.graphics.indices where devices.graphics[index].port == nil {
            guard devices.graphics[index].isAutomatic || devices.graphics[index].type == .spice else { continue }
            let type = devices.graphics[index].type
            guard type == .vnc || type == .spice else { continue }
            // C libvirt's first free port is 5900 for VNC; SPICE's secure port takes it first.
            devices.graphics[index].port = type == .spice ? port + 1 : port
            port += 2
        }
    }

    /// The I/O threads with their numbers: those named, then enough others to reach the count.
    package var allIOThreads: [IOThread] {
        var threads = iothreadIDs
        var next: UInt32 = 1
        while threads.count < Int(min(iothreads ?? 0, 4096)) {
            if !threads.contains(where: { $0.id == next }) { threads.append(IOThread(id: next, isExplicit: false)) }
            next += 1
        }
        return threads
    }
}
