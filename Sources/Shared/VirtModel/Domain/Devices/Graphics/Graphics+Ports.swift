import VirtCore
import VirtXML

extension Graphics {
    /// Port numbers: a definition says -1 or nothing for ports that are chosen at start.
    mutating func mapPorts<M: ElementMapper>(_ x: inout M, automatic: StaticString) throws {
        if x.isReading {
            try readPorts(&x, automatic)
        } else {
            try writePorts(&x, automatic)
        }
    }

    private mutating func readPorts<M: ElementMapper>(_ x: inout M, _ automatic: StaticString) throws {
        try x.attribute("port", &port, invalid: .internal("cannot parse \(type.rawValue) port"))
        if type == .spice { try x.attribute("tlsPort", &tlsPort, invalid: .internal("cannot parse spice tlsPort")) }
        try x.attribute(automatic, &autoport)
        if type == .vnc {
            try x.attribute("websocket", &websocket)
            try x.attribute("websocketGenerated", &websocketGenerated)
        }
        // The older way to say it.
        if port == -1 {
            if type == .vnc { autoport = true }
            port = type == .spice ? -1 : nil
        }
        if type == .vnc, autoport == nil, port == nil || port == 0 { autoport = true }
        if type == .spice { settleSpicePorts() }
        if autoport == true, x.flags.contains(.inactive) {
            port = nil
            if type == .spice { tlsPort = nil }
        }
    }

    private mutating func settleSpicePorts() {
        if port == -1, tlsPort == -1 || tlsPort == nil { autoport = true }
        if port == -1 || port == 0 { port = nil }
        if tlsPort == 0 { tlsPort = nil }
    }

    private mutating func writePorts<M: ElementMapper>(_ x: inout M, _ automatic: StaticString) throws {
        // A listen on a socket has no ports.
        if let first = listens.first, first.type == .socket {
            return
        }
        if listens.first?.type == GraphicsListen.Kind.none { return }
        let isDefinition = x.flags.contains(.inactive)
        switch type {
        case .vnc:
            var shown = isAutomatic ? (isDefinition ? -1 : port ?? -1) : port
            try x.attribute("port", &shown)
            var auto = isAutomatic
            try x.attribute(automatic, &auto)
            try x.attribute("websocket", &websocket)
            if x.flags.contains(.status) {
                var generated = websocketGenerated ?? false
                try x.attribute("websocketGenerated", &generated)
            }
        case .spice:
            var shown = isAutomatic && isDefinition ? nil : port
            var tls = isAutomatic && isDefinition ? nil : tlsPort
            try x.attribute("port", &shown)
            try x.attribute("tlsPort", &tls)
            var auto = isAutomatic
            try x.attribute(automatic, &auto)
        case .sdl, .rdp, .desktop, .dbus, .eglHeadless: break
        }
    }

    /// The attributes that repeat the first listen for older clients.
    mutating func mapListenAttributes<M: ElementMapper>(_ x: inout M) throws {
        if x.isReading {
            try x.attribute("listen", &legacyListen)
            if type == .vnc { try x.attribute("socket", &legacySocket) }
            return
        }
        guard let first = listens.first else { return }
        switch first.type {
        case .address:
            var address = first.isFromConfiguration && x.flags.contains(.inactive) ? nil : first.address
            try x.attribute("listen", &address)
        case .network:
            var address = x.flags.contains(.inactive) ? nil : first.address
            try x.attribute("listen", &address)
        case .socket:
            guard type == .vnc, !(first.isGenerated && x.flags.contains(.inactive)) else { return }
            var socket = first.socket
            try x.attribute("socket", &socket)
        case .none: break
        }
    }

    /// The listens, in reading put together with the attributes that older clients use.
    mutating func mapListens<M: ElementMapper>(_ x: inout M) throws {
        try x.elements("listen", &listens)
        guard x.isReading else { return }
        if let socket = legacySocket {
            if let first = listens.first {
                try agree(first.type == .socket ? first.socket : socket, socket, "socket")
                if first.type == .address { listens[0] = GraphicsListen(socket: socket) }
            } else {
                listens = [GraphicsListen(socket: socket)]
            }
        } else if let address = legacyListen, !address.isEmpty {
            try adopt(address)
        } else if listens.isEmpty {
            listens = [GraphicsListen()]
        }
        legacyListen = nil
        legacySocket = nil
    }

    private mutating func adopt(_ address: String) throws(VirtError) {
        guard let first = listens.first else {
            listens = [GraphicsListen(address: address)]
            return
        }
        switch first.type {
        case .address:
            if let own = first.address { try agree(own, address, "listen", "address") }
            listens[0].address = address
        case .network, .socket, .none: break
        }
    }

    private func agree(
        _ found: String?, _ given: String, _ attribute: String, _ other: String? = nil
    ) throws(VirtError) {
        guard let found, found != given else { return }
        let name = other ?? attribute
        throw VirtError.unsupported(
            "graphics '\(attribute)' attribute '\(given)' must match '\(name)' attribute of first listen "
                + "element (found '\(found)')"
        )
    }
}
