import QEMUMonitor
import VirtCore
import VirtModel

/// The host's end of a character device: `-chardev`.
extension CommandBuilder {
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
}
