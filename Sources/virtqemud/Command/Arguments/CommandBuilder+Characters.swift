import QEMUMonitor
import VirtCore
import VirtModel

/// Serial and parallel ports, channels, consoles, smart cards: a `-chardev` and mostly a `-device`.
extension CommandBuilder {
    mutating func addCharacterDevices() throws(VirtError) {
        try addSmartcards()
        for serial in devices.serials {
            let alias = serial.info.alias ?? ""
            try add(chardev: serial.source, alias)
            if let properties = try serialDevice(serial, alias) {
                add(device: properties)
            } else {
                add("-serial", "chardev:char\(alias)")
            }
        }
        for parallel in devices.parallels {
            let alias = parallel.info.alias ?? ""
            try add(chardev: parallel.source, alias)
            add(device: ["driver": "isa-parallel", "chardev": .string("char\(alias)"), "id": .string(alias)])
        }
        try addChannels()
        try addConsoles()
    }

    // MARK: Backends

    /// Adds the backend of a character device, and the descriptors that it takes.
    mutating func add(chardev source: CharacterSource, _ alias: String) throws(VirtError) {
        let backend = environment.characters[alias]
        for file in [backend?.file, backend?.log] {
            guard let file else { continue }
            add("-add-fd", "set=\(file.set),fd=\(file.descriptor)")
        }
        if source.type == .tcp, source.tls == true {
            let name = "objchar\(alias)_tls0"
            add(object: environment.characterTLS.credentials(id: name, isServer: source.mode == .bind))
        }
        add("-chardev", try chardevText(source, id: "char\(alias)", backend))
    }

    private func chardevText(
        _ source: CharacterSource, id: String, _ backend: CommandEnvironment.CharacterBackend?
    ) throws(VirtError) -> String {
        let escape = KeyValueText.escape
        var text: String
        switch source.type {
        case .null: text = "null,id=\(id)"
        case .vc: text = "vc,id=\(id)"
        case .pty: text = "pty,id=\(id)"
        case .stdio: text = "stdio,id=\(id)"
        case .dev:
            text = (id.contains("parallel") ? "parallel" : "serial") + ",id=\(id),path=\(escape(source.path ?? ""))"
        case .file: text = fileText(source, id, backend)
        case .pipe: text = "pipe,id=\(id),path=\(escape(source.path ?? ""))"
        case .udp:
            text =
                "udp,id=\(id),host=\(escape(source.host ?? "")),port=\(escape(source.service ?? ""))"
                + ",localaddr=\(escape(source.bindHost ?? "")),localport=\(escape(source.bindService ?? "0"))"
        case .tcp: text = tcpText(source, id)
        case .unix: text = unixText(source, id, backend)
        case .spicevmc: text = "spicevmc,id=\(id),name=\(id.contains("redir") ? "usbredir" : Self.spiceName(id))"
        case .spiceport: text = "spiceport,id=\(id),name=\(escape(source.channel ?? ""))"
        case .dbus: text = "dbus,id=\(id),name=\(escape(source.channel ?? ""))"
        case .qemuVDAgent:
            text = "qemu-vdagent,id=\(id),name=vdagent"
            if let clipboard = source.clipboardCopyPaste { text += ",clipboard=\(onOff(clipboard))" }
            if let mouse = source.mouseMode { text += ",mouse=\(onOff(mouse == "client"))" }
        case .nmdm: throw VirtError(.configUnsupported, .qemu, "unsupported chardev 'nmdm'")
        }
        return text + logText(source, backend)
    }

    private static func spiceName(_ id: String) -> String { id.contains("smartcard") ? "smartcard" : "vdagent" }

    private func fileText(
        _ source: CharacterSource, _ id: String, _ backend: CommandEnvironment.CharacterBackend?
    ) -> String {
        if let file = backend?.file { return "file,id=\(id),path=/dev/fdset/\(file.set),append=on" }
        let append = source.append.map { ",append=\(onOff($0))" } ?? ""
        return "file,id=\(id),path=\(KeyValueText.escape(source.path ?? ""))\(append)"
    }

    private func tcpText(_ source: CharacterSource, _ id: String) -> String {
        var text =
            "socket,id=\(id),host=\(KeyValueText.escape(source.host ?? ""))"
            + ",port=\(KeyValueText.escape(source.service ?? ""))"
        if source.protocol == .telnet { text += ",telnet=on" }
        if source.mode == .bind { text += ",server=on,wait=off" }
        text += reconnect(source)
        if source.tls == true { text += ",tls-creds=obj\(id)_tls0" }
        return text
    }

    private func reconnect(_ source: CharacterSource) -> String {
        guard let reconnect = source.reconnect else { return "" }
        if reconnect.enabled == true { return ",reconnect=\(reconnect.timeout ?? 0)" }
        return reconnect.enabled == false ? ",reconnect=0" : ""
    }

    private func unixText(
        _ source: CharacterSource, _ id: String, _ backend: CommandEnvironment.CharacterBackend?
    ) -> String {
        var text = "socket,id=\(id)"
        if let socket = backend?.socket {
            text += ",fd=\(socket)"
        } else {
            text += ",path=\(KeyValueText.escape(source.path ?? ""))"
        }
        if source.mode != .connect { text += ",server=on,wait=off" }
        return text + reconnect(source)
    }

    private func logText(_ source: CharacterSource, _ backend: CommandEnvironment.CharacterBackend?) -> String {
        guard let log = source.log, let file = log.file else { return "" }
        if let set = backend?.log?.set { return ",logfile=/dev/fdset/\(set),logappend=on" }
        let append = log.append.map { ",logappend=\(onOff($0))" } ?? ""
        return ",logfile=\(KeyValueText.escape(file))\(append)"
    }

    // MARK: Devices

    /// nil for ports that are part of the machine.
    private func serialDevice(_ serial: SerialPort, _ alias: String) throws(VirtError) -> JSONObject? {
        switch serial.model {
        case .pl011, .uart16550a, SerialPort.Model.none?, nil: return nil
        case .isaSerial, .usbSerial, .pciSerial, .spaprVTY, .sclpConsole, .sclpLMConsole, .isaDebugCon: break
        }
        var properties: JSONObject = [
            "driver": .string(serial.model?.rawValue ?? ""), "chardev": .string("char\(alias)"), "id": .string(alias),
        ]
        if serial.model == .isaSerial { properties.add("index", serial.port ?? 0) }
        try addAddress(serial.info, to: &properties)
        return properties
    }

    private mutating func addChannels() throws(VirtError) {
        for channel in devices.channels {
            let alias = channel.info.alias ?? ""
            var source = channel.source
            if source.type == .unix, source.path == nil {
                source.path = environment.channelDirectory + "/" + channel.socketName
                source.mode = .bind
            }
            try add(chardev: source, alias)
            switch channel.target {
            case .guestfwd:
                let place = "tcp:\(channel.address ?? ""):\(channel.port ?? 0)-chardev:char\(alias)"
                add(netdev: ["type": "user", "guestfwd": [["str": .string(place)]], "id": .string(alias)])
            case .virtio: add(device: portDevice("virtserialport", channel.info, name: try Self.portName(channel)))
            case .xen: throw VirtError(.internalError, .qemu, "Xen channels are not supported with this hypervisor")
            }
        }
    }

    private static func portName(_ channel: Channel) throws(VirtError) -> String? {
        guard channel.source.type == .spicevmc else { return channel.name }
        if let name = channel.name, name != "com.redhat.spice.0" {
            throw VirtError(.configUnsupported, .qemu, "Unsupported spicevmc target name '\(name)'")
        }
        return "com.redhat.spice.0"
    }

    private func portDevice(_ driver: String, _ info: DeviceInfo, name: String?) -> JSONObject {
        let alias = info.alias ?? ""
        var properties: JSONObject = ["driver": .string(driver)]
        switch info.address {
        case .virtioSerial(let port):
            let bus = controllerAlias(.virtioSerial, port.controller) ?? "virtio-serial\(port.controller)"
            properties.add("bus", "\(bus).\(port.bus)")
            properties.add("nr", port.port)
        case .ccw(let ccw): properties.add("devno", Self.deviceNumber(ccw))
        default: break
        }
        properties.add("chardev", "char\(alias)")
        properties.add("id", alias)
        properties.add("name", name)
        return properties
    }

    private mutating func addConsoles() throws(VirtError) {
        for (index, console) in devices.consoles.enumerated() {
            let alias = console.info.alias ?? ""
            switch console.target ?? .serial {
            case .virtio:
                try add(chardev: console.source, alias)
                // QEMU 7.2 wants neither bus nor number for a console without a place.
                add(device: portDevice("virtconsole", console.info, name: nil))
            case .sclp, .sclplm:
                try add(chardev: console.source, alias)
                let driver = console.target == .sclp ? "sclpconsole" : "sclplmconsole"
                add(device: ["driver": .string(driver), "chardev": .string("char\(alias)"), "id": .string(alias)])
            case .serial:
                // The first one is the first serial port by another name.
                if index == 0, !devices.serials.isEmpty { continue }
            case .xen, .uml, .openvz, .none: continue
            }
        }
    }

    private mutating func addSmartcards() throws(VirtError) {
        for card in devices.smartcards {
            let alias = card.info.alias ?? ""
            var properties: JSONObject
            switch card.mode {
            case .host: properties = ["driver": "ccid-card-emulated", "backend": "nss-emulated"]
            case .hostCertificates:
                properties = ["driver": "ccid-card-emulated", "backend": "certificates"]
                for (index, certificate) in card.certificates.enumerated() {
                    properties.add("cert\(index + 1)", certificate)
                }
                properties.add("db", card.database ?? "/etc/pki/nssdb")
            case .passthrough:
                try add(chardev: card.source, alias)
                properties = ["driver": "ccid-card-passthru", "chardev": .string("char\(alias)")]
            }
            properties.add("id", alias)
            try addAddress(card.info, to: &properties)
            add(device: properties)
        }
    }

    mutating func addRedirectedDevices() throws(VirtError) {
        for device in devices.redirectedDevices {
            let alias = device.info.alias ?? ""
            try add(chardev: device.source, alias)
            var properties: JSONObject = [
                "driver": "usb-redir", "chardev": .string("char\(alias)"), "id": .string(alias),
            ]
            properties.add("filter", redirectionFilter)
            properties.add("bootindex", device.info.boot?.order)
            try addAddress(device.info, to: &properties)
            add(device: properties)
        }
    }

    private var redirectionFilter: String? {
        guard let filter = devices.redirectionFilter, has(.usbRedirFilter) else { return nil }
        let rules = filter.devices.map { rule in
            let part = { (value: UInt32?, width: Int) in
                guard let value else { return "-1" }
                let digits = String(value, radix: 16).uppercased()
                return "0x" + String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
            }
            let version = rule.version.flatMap(Self.binaryVersion) ?? "-1"
            let numbers = [part(rule.deviceClass, 2), part(rule.vendor, 4), part(rule.product, 4), version]
            return numbers.joined(separator: ":") + ":\(rule.allow ? 1 : 0)"
        }
        return rules.isEmpty ? nil : rules.joined(separator: "|")
    }

    /// `2.10` as USB writes versions: 0x0210.
    private static func binaryVersion(_ text: String) -> String? {
        let parts = text.split(separator: ".")
        guard parts.count == 2, let major = UInt32(parts[0], radix: 16), major < 256 else { return nil }
        let minor = parts[1].count == 1 ? parts[1] + "0" : parts[1]
        guard let low = UInt32(minor, radix: 16), low < 256 else { return nil }
        let digits = String(major << 8 | low, radix: 16)
        return "0x" + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }
}
