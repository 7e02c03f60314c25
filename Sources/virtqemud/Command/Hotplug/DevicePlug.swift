package import QEMUMonitor
package import VirtCore
package import VirtModel

/// The commands that add a device to a running guest: the same words as on the command line, in the monitor's form.
/// Descriptors are handed over before.
package enum DevicePlug {
    /// - Parameters:
    ///   - new: the devices to be added, complete, with aliases and node indexes.
    ///   - domain: the guest, with the controllers that the devices are plugged into.
    package static func commands(
        for new: Devices, in domain: Domain, _ capabilities: QEMUCapabilities, _ environment: CommandEnvironment
    ) throws(VirtError) -> [QMPCommand] {
        var slim = domain
        slim.devices = new
        slim.devices.controllers = domain.devices.controllers
        slim.os.bootDevices = []
        var builder = CommandBuilder(slim, capabilities, environment)
        for controller in new.controllers { try builder.add(controller: controller) }
        try builder.addDisks()
        try builder.addFilesystems()
        try builder.addInterfaces()
        try builder.addCharacterDevices()
        try builder.addInputs()
        try builder.addWatchdogs()
        try builder.addRedirectedDevices()
        if !new.hostdevs.isEmpty { try builder.addHostdevs() }
        try builder.addBalloon()
        try builder.addRandomGenerators()
        builder.addNVRAM()
        return try translate(builder.arguments, new)
    }

    private static func translate(_ words: [String], _ devices: Devices) throws(VirtError) -> [QMPCommand] {
        let names = [
            "-blockdev": "blockdev-add", "-device": "device_add", "-netdev": "netdev_add", "-object": "object-add",
        ]
        var commands: [QMPCommand] = []
        for index in stride(from: 0, to: words.count, by: 2) where index + 1 < words.count {
            let (option, text) = (words[index], words[index + 1])
            if let name = names[option] {
                commands.append(QMPCommand(name, try JSONParser.parse(text)))
            } else if option == "-chardev" {
                commands.append(try characterDevice(text, devices))
            } else if option != "-watchdog-action", option != "-add-fd" {
                throw VirtError(.operationUnsupported, .qemu, "live attach of a device that needs '\(option)'")
            }
        }
        return commands
    }

    // MARK: Character devices

    private static func characterDevice(_ text: String, _ devices: Devices) throws(VirtError) -> QMPCommand {
        if let channel = vhostUser(text) { return channel }
        let sources =
            devices.channels.map { ($0.info.alias, $0.source) } + devices.serials.map { ($0.info.alias, $0.source) }
            + devices.consoles.map { ($0.info.alias, $0.source) }
            + devices.redirectedDevices.map { ($0.info.alias, $0.source) }
            + devices.rngs.map { ($0.info.alias, $0.source) }
        let found = sources.first { alias, _ in
            alias.map { text.contains(",id=char\($0),") || text.hasSuffix(",id=char\($0)") } ?? false
        }
        guard let found, let alias = found.0 else {
            throw VirtError(.internalError, .qemu, "character device without a name")
        }
        return QMPCommand("chardev-add", ["id": .string("char\(alias)"), "backend": try backend(found.1, alias)])
    }

    /// The connection to a program that serves a device.
    private static func vhostUser(_ text: String) -> QMPCommand? {
        let start = "socket,id="
        guard text.hasPrefix(start + "chr-vu-"), let end = text.firstRange(of: ",path=") else { return nil }
        let id = text[..<end.lowerBound].dropFirst(start.utf8.count)
        let path = String(text[end.upperBound...]).replacing(",,", with: ",")
        let address: JSONValue = ["type": "unix", "data": ["path": .string(path)]]
        return QMPCommand(
            "chardev-add",
            [
                "id": .string(String(id)),
                "backend": ["type": "socket", "data": ["addr": address, "server": false]],
            ])
    }

    private static func backend(_ source: CharacterSource, _ alias: String) throws(VirtError) -> JSONValue {
        switch source.type {
        case .null, .nmdm: return ["type": "null", "data": [:]]
        case .vc: return ["type": "vc", "data": [:]]
        case .pty: return ["type": "pty", "data": [:]]
        case .file:
            var data: JSONObject = ["out": .string(source.path ?? "")]
            data.add("append", source.append)
            return ["type": "file", "data": .object(data)]
        case .pipe: return ["type": "pipe", "data": ["device": .string(source.path ?? "")]]
        case .dev: return ["type": "serial", "data": ["device": .string(source.path ?? "")]]
        case .unix: return socket(["type": "unix", "data": ["path": .string(source.path ?? "")]], source)
        case .tcp:
            let address: JSONValue = ["host": .string(source.host ?? ""), "port": .string(source.service ?? "")]
            return socket(["type": "inet", "data": address], source)
        case .udp: return udp(source)
        case .spicevmc:
            let name = alias.hasPrefix("redir") ? "usbredir" : "vdagent"
            return ["type": "spicevmc", "data": ["type": .string(name)]]
        case .spiceport: return ["type": "spiceport", "data": ["fqdn": .string(source.channel ?? "")]]
        case .stdio, .dbus, .qemuVDAgent:
            throw VirtError(
                .operationUnsupported, .qemu, "Hotplug unsupported for char device type '\(source.type.rawValue)'")
        }
    }

    private static func socket(_ address: JSONValue, _ source: CharacterSource) -> JSONValue {
        let isServer = source.mode != .connect
        var data: JSONObject = ["addr": address]
        if isServer { data.add("wait", false) }
        if source.type == .tcp { data.add("telnet", source.protocol == .telnet) }
        data.add("server", isServer)
        if let reconnect = source.reconnect, reconnect.enabled == true { data.add("reconnect", reconnect.timeout) }
        return ["type": "socket", "data": .object(data)]
    }

    private static func udp(_ source: CharacterSource) -> JSONValue {
        func address(_ host: String?, _ port: String?) -> JSONValue {
            ["type": "inet", "data": ["host": .string(host ?? ""), "port": .string(port ?? "")]]
        }
        var data: JSONObject = ["remote": address(source.host, source.service)]
        if source.bindHost != nil || source.bindService != nil {
            data["local"] = address(source.bindHost, source.bindService ?? "0")
        }
        return ["type": "udp", "data": .object(data)]
    }
}
