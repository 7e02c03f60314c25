import VirtCore
package import VirtXML

/// The host's end of a character device: the type and `<source>`, `<protocol>`, `<log>`.
package struct CharacterSource: Equatable, Sendable {
    package enum Kind: String, XMLEnum {
        case null, vc, pty, dev, file, pipe, stdio, udp, tcp, unix, spicevmc, spiceport, nmdm, dbus
        case qemuVDAgent = "qemu-vdagent"
    }
    package enum Mode: String, XMLEnum { case connect, bind }
    package enum Wrapping: String, XMLEnum { case raw, telnet, telnets, tls }

    package var type = Kind.null
    /// The file, device, pipe, pseudo terminal or socket.
    package var path: String?
    /// The other end of a null modem.
    package var slavePath: String?
    package var append: Bool?
    package var mode: Mode?
    package var host: String?
    package var service: String?
    package var bindHost: String?
    package var bindService: String?
    package var tls: Bool?
    package var `protocol`: Wrapping?
    package var reconnect: DiskNetwork.Reconnect?
    /// The name of a spiceport or D-Bus channel.
    package var channel: String?
    package var clipboardCopyPaste: Bool?
    package var mouseMode: String?
    package var log: Log?
    package var labels: [SecurityLabel.OfDevice] = []

    package init() {}
    package init(_ type: Kind) { self.type = type }

    /// The attribute of the device's element.
    mutating func mapType<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &type, invalid: .characterType)
    }

    /// The children of the device's element.
    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        switch type {
        case .null, .vc, .stdio, .spicevmc: break
        case .pty: try mapPTY(&x)
        case .dev, .pipe: try mapPath(&x)
        case .nmdm: try mapPair(&x)
        case .file: try mapPath(&x)
        case .udp: try mapUDP(&x)
        case .tcp: try mapTCP(&x)
        case .unix: try mapUNIX(&x)
        case .spiceport, .dbus: try x.valueElement("source", "channel", &channel)
        case .qemuVDAgent: try mapAgent(&x)
        }
        if x.isReading, type != .udp, type != .null, (x.node?.children("source").count ?? 0) > 1 {
            throw VirtError.malformed("only one source element is allowed for character device")
        }
        if type == .tcp { try x.valueElement("protocol", "type", &`protocol`) }
        try x.element("log", &log)
        if x.isReading { try check() }
    }

    private mutating func mapPTY<M: ElementMapper>(_ x: inout M) throws {
        if x.flags.contains(.inactive) { return }
        try mapPath(&x)
    }

    /// The two ends of a null modem.
    private mutating func mapPair<M: ElementMapper>(_ x: inout M) throws {
        try x.group("source") { x in
            try x.attribute("master", &path)
            try x.attribute("slave", &slavePath)
        }
    }

    private mutating func mapPath<M: ElementMapper>(_ x: inout M) throws {
        try x.group("source") { x in
            try x.attribute("path", &path)
            if type == .file { try x.attribute("append", &append, .onOff) }
            try labels.map(&x)
        }
    }

    private mutating func mapUDP<M: ElementMapper>(_ x: inout M) throws {
        if x.isReading {
            let sources = x.node?.children("source") ?? []
            if sources.count > 2 {
                throw VirtError.malformed("only two source elements are allowed for character device")
            }
            for source in sources {
                if source.attribute("mode") == "bind" {
                    bindHost = source.attribute("host")
                    bindService = source.attribute("service")
                } else {
                    host = source.attribute("host")
                    service = source.attribute("service")
                }
            }
            return
        }
        var bind = Mode.bind
        var connect = Mode.connect
        if bindService != nil || bindHost != nil {
            try x.group("source") { x in
                try x.attribute("mode", &bind)
                try x.attribute("host", &bindHost)
                try x.attribute("service", &bindService)
            }
        }
        if service != nil || host != nil {
            try x.group("source") { x in
                try x.attribute("mode", &connect)
                try x.attribute("host", &host)
                try x.attribute("service", &service)
            }
        }
    }

    private mutating func mapTCP<M: ElementMapper>(_ x: inout M) throws {
        try x.group("source") { x in
            try x.attribute("mode", &mode)
            try x.attribute("host", &host)
            try x.attribute("service", &service)
            try x.attribute("tls", &tls)
            try x.element("reconnect", &reconnect)
        }
        if x.isReading {
            if mode == nil { mode = .connect }
            if `protocol` == nil { `protocol` = .raw }
        }
    }

    private mutating func mapUNIX<M: ElementMapper>(_ x: inout M) throws {
        if x.isWriting, path == nil { return }
        try x.group("source") { x in
            try x.attribute("mode", &mode)
            try x.attribute("path", &path)
            try x.element("reconnect", &reconnect)
            try labels.map(&x)
        }
        if x.isReading, mode == nil { mode = .connect }
    }

    /// A socket whose kind stands on the source itself.
    mutating func mapSocket<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &type)
        try x.attribute("mode", &mode)
        try x.attribute("path", &path)
        try x.attribute("host", &host)
        try x.attribute("service", &service)
    }

    /// The path is libvirt's own choice, so it is libvirt that listens.
    mutating func listenSomewhere() throws(VirtError) {
        mode = .bind
        path = nil
        try check()
    }

    private mutating func mapAgent<M: ElementMapper>(_ x: inout M) throws {
        try x.group("source") { x in
            try x.valueElement("clipboard", "copypaste", &clipboardCopyPaste)
            try x.valueElement("mouse", "mode", &mouseMode)
        }
    }

    private func check() throws(VirtError) {
        guard let reconnect, let enabled = reconnect.enabled else { return }
        if mode == .bind {
            throw VirtError(.internalError, .domain, "chardev reconnect is possible only for connect mode")
        }
        guard enabled else { return }
        guard let timeout = reconnect.timeout else { throw VirtError.missingAttribute("timeout", of: "reconnect") }
        if timeout == 0 {
            throw VirtError(.invalidArg, .domain, "chardev reconnect source timeout cannot be '0'")
        }
    }

    /// A file that gets a copy of the output.
    package struct Log: Equatable, Sendable, XMLMappable {
        package var file: String?
        package var append: Bool?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("file", &file)
            try x.attribute("append", &append, .onOff)
        }
    }
}

extension InvalidValue {
    /// The error for what is no kind of host end.
    fileprivate static let characterType = InvalidValue(
        .configUnsupported, "unknown type presented to host for character device:", quoted: false)
}
