import VirtCore
import VirtXML

extension DomainValidation {
    func checkCharacterDevices() throws {
        for serial in devices.serials {
            try check(serial.source)
            try check(serial)
        }
        if !devices.parallels.isEmpty, machine.isS390 || machine.isPSeries {
            throw VirtError.unsupported("parallel ports are not supported", .qemu)
        }
        for parallel in devices.parallels { try check(parallel.source) }
        for channel in devices.channels { try check(channel) }
        for console in devices.consoles.dropFirst(domain.isFirstConsoleSerial ? 1 : 0) { try check(console.source) }
        for smartcard in devices.smartcards where smartcard.mode == .passthrough { try check(smartcard.source) }
        for device in devices.redirectedDevices { try check(device.source) }
        for rng in devices.rngs where rng.backend == .egd { try check(rng.source) }
    }

    private func check(_ channel: Channel) throws {
        // libvirt makes up the paths of channels.
        if channel.source.type == .unix, channel.target == .virtio { return }
        try check(channel.source)
    }

    private func check(_ source: CharacterSource) throws {
        switch source.type {
        case .file, .pipe, .dev:
            guard source.path != nil else { throw missing("path") }
        case .tcp:
            guard source.host != nil else { throw missing("host") }
            guard source.service != nil else { throw missing("service") }
        case .udp:
            guard source.service != nil else { throw missing("service") }
        case .unix:
            guard source.path != nil else { throw missing("path") }
        case .spiceport, .spicevmc:
            guard devices.graphics.contains(where: { $0.type == .spice }) else {
                throw VirtError.unsupported(
                    "chardev '\(source.type.rawValue)' not supported without spice graphics", .qemu)
            }
        case .null, .vc, .pty, .stdio, .dbus, .qemuVDAgent, .nmdm: return
        }
    }

    private func missing(_ attribute: String) -> VirtError {
        VirtError(.internalError, .domain, "Missing source \(attribute) attribute for char device")
    }

    private func check(_ serial: SerialPort) throws {
        guard let target = serial.target, let model = serial.model else { return }
        let fits =
            switch target {
            case .isa, .isaDebug: machine.isX86
            case .spaprVIO: machine.isPSeries
            case .system: machine.isARM || machine.isRISCV
            case .sclp: machine.isS390
            case .usb, .pci, .none: true
            }
        guard !fits else { return }
        throw VirtError.unsupported(
            "Serial device with target type '\(target.rawValue)' and target model '\(model.rawValue)' not "
                + "compatible with guest architecture or machine type",
            .qemu)
    }
}
