import QEMUMonitor
import VirtCore
import VirtModel

/// `-vnc`, `-spice`, `-display`.
extension CommandBuilder {
    mutating func addGraphics() throws(VirtError) {
        for kind in Set(devices.graphics.map(\.type)) where devices.graphics.filter({ $0.type == kind }).count > 1 {
            throw VirtError(
                .configUnsupported, .qemu,
                "only 1 graphics device of each type (sdl, vnc, spice, headless, dbus) is supported")
        }
        for graphics in devices.graphics {
            switch graphics.type {
            case .sdl:
                let gl = graphics.gl?.enable.map { ",gl=\(onOff($0))" } ?? ""
                if graphics.fullscreen == true { add("-full-screen") }
                add("-display", "sdl" + gl)
            case .vnc: try addVNC(graphics)
            case .spice: try addSpice(graphics)
            case .eglHeadless:
                let node = (graphics.gl?.renderNode ?? environment.renderNode).map(KeyValueText.escape)
                add("-display", "egl-headless" + (node.map { ",rendernode=" + $0 } ?? ""))
            case .dbus: addDBus(graphics)
            case .rdp, .desktop:
                throw VirtError(
                    .configUnsupported, .qemu, "unsupported graphics type '\(graphics.type.rawValue)'")
            }
        }
    }

    private func audioID(_ graphics: Graphics) -> UInt32? { graphics.audioID ?? devices.audios.first?.id }

    private mutating func addVNC(_ graphics: Graphics) throws(VirtError) {
        var options: [String] = []
        switch graphics.listens.first?.type {
        case .socket:
            let path = graphics.listens.first?.socket ?? environment.libraryDirectory + "/vnc.sock"
            options.append("vnc=unix:" + KeyValueText.escape(path))
        case .none?: options.append("none")
        case .address, .network, nil:
            let address = graphics.listens.first?.address ?? environment.graphics.vncListen
            let place = address.contains(":") ? "[\(address)]" : address
            let port = graphics.port ?? 0
            guard (5900...65535).contains(port) else {
                throw VirtError(.configUnsupported, .qemu, "vnc port must be in range [5900,65535]")
            }
            options.append("\(place):\(port - 5900)")
            if let websocket = graphics.websocket { options.append("websocket=\(websocket)") }
        }
        if let policy = graphics.sharePolicy { options.append("share=\(policy.rawValue)") }
        if graphics.password != nil || environment.graphics.vncPassword { options.append("password=on") }
        if environment.graphics.vncTLS != nil { options.append("tls-creds=vnc-tls-creds0") }
        if environment.graphics.vncSASL { options.append("sasl=on") }
        if graphics.powerControl == true, has(.vncPowerControl) { options.append("power-control=on") }
        if let audio = audioID(graphics) { options.append("audiodev=audio\(audio)") }
        add("-vnc", options.joined(separator: ","))
        if let keymap = graphics.keymap { add("-k", keymap) }
    }

    private mutating func addSpice(_ graphics: Graphics) throws(VirtError) {
        var options: [String] = []
        let listen = graphics.listens.first
        switch listen?.type {
        case .socket: options += ["unix=on"]
        case .none?: options.append("port=0")
        case .address, .network, nil:
            if let port = graphics.port, port > 0 { options.append("port=\(port)") }
            if let port = graphics.tlsPort, port > 0 { options.append("tls-port=\(port)") }
        }
        switch listen?.type {
        case .socket:
            let path = listen?.socket ?? environment.libraryDirectory + "/spice.sock"
            options = ["unix", "addr=" + KeyValueText.escape(path)]
        case .none?: break
        case .address, .network, nil:
            let address = listen?.address ?? environment.graphics.spiceListen
            if !address.isEmpty { options.append("addr=\(address)") }
        }
        if environment.graphics.spiceSASL { options.append("sasl=on") }
        if let value = graphics.spice.mouseMode { options.append("agent-mouse=\(onOff(value == "client"))") }
        if graphics.password == nil && !environment.graphics.spicePassword { options.append("disable-ticketing=on") }
        if let directory = environment.graphics.spiceTLS, graphics.tlsPort ?? 0 > 0 {
            options.append("x509-dir=\(KeyValueText.escape(directory))")
        }
        if let mode = graphics.defaultMode, mode != "any" {
            try checkSpice(graphics, mode, "spice defaultMode \(mode) requested")
            options.append((mode == "secure" ? "tls-channel" : "plaintext-channel") + "=default")
        }
        for channel in graphics.spice.channels where channel.mode != "any" {
            try checkSpice(graphics, channel.mode, "spice \(channel.mode) channels set")
            options.append((channel.mode == "secure" ? "tls-channel" : "plaintext-channel") + "=\(channel.name)")
        }
        addSpiceOptions(graphics, &options)
        options.append("seamless-migration=on")
        add("-spice", options.joined(separator: ","))
        if let keymap = graphics.keymap { add("-k", keymap) }
    }

    /// Refuses channels of a kind for which nothing listens.
    private func checkSpice(_ graphics: Graphics, _ mode: String, _ what: String) throws(VirtError) {
        let listensOnPorts =
            switch graphics.listens.first?.type {
            case .socket, .none?: false
            case .address, .network, nil: true
            }
        let isThere =
            mode == "secure"
            ? listensOnPorts && graphics.tlsPort ?? 0 > 0 : !listensOnPorts || graphics.port ?? 0 > 0
        guard !isThere else { return }
        let kind = mode == "secure" ? "TLS" : "plaintext"
        throw VirtError(
            .configUnsupported, .qemu, "\(what) in XML configuration, but \(kind) connection is not available")
    }

    private func addSpiceOptions(_ graphics: Graphics, _ options: inout [String]) {
        let spice = graphics.spice
        if let value = spice.imageCompression { options.append("image-compression=\(value)") }
        if let value = spice.jpegCompression { options.append("jpeg-wan-compression=\(value)") }
        if let value = spice.zlibCompression { options.append("zlib-glz-wan-compression=\(value)") }
        if let value = spice.playbackCompression { options.append("playback-compression=\(onOff(value))") }
        if let value = spice.streamingMode { options.append("streaming-video=\(value)") }
        if spice.clipboardCopyPaste == false { options.append("disable-copy-paste=on") }
        if spice.fileTransfer == false { options.append("disable-agent-file-xfer=on") }
        if graphics.gl?.enable == true {
            options.append("gl=on")
            if let node = graphics.gl?.renderNode ?? environment.renderNode {
                options.append("rendernode=\(KeyValueText.escape(node))")
            }
        }
    }

    private mutating func addDBus(_ graphics: Graphics) {
        var options = ["dbus"]
        if graphics.dbusP2P == true {
            options.append("p2p=on")
        } else {
            let address = graphics.dbusAddress ?? "unix:path=\(environment.dbusSocket)"
            options.append("addr=\(KeyValueText.escape(address))")
        }
        if let gl = graphics.gl?.enable { options.append("gl=\(onOff(gl))") }
        if let node = graphics.gl?.renderNode { options.append("rendernode=\(KeyValueText.escape(node))") }
        if graphics.audioID != nil, let audio = audioID(graphics) { options.append("audiodev=audio\(audio)") }
        add("-display", options.joined(separator: ","))
    }
}
