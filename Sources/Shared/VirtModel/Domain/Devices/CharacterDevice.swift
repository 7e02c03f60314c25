import VirtCore
package import VirtXML

/// A serial port (`<serial>`).
package struct SerialPort: Equatable, Sendable, XMLMappable {
    package enum Target: String, XMLEnum {
        case isa = "isa-serial"
        case usb = "usb-serial"
        case pci = "pci-serial"
        case spaprVIO = "spapr-vio-serial"
        case system = "system-serial"
        case sclp = "sclp-serial"
        case isaDebug = "isa-debug"
        case none
    }
    package enum Model: String, XMLEnum {
        case isaSerial = "isa-serial"
        case usbSerial = "usb-serial"
        case pciSerial = "pci-serial"
        case spaprVTY = "spapr-vty"
        case pl011
        case uart16550a = "16550a"
        case sclpConsole = "sclpconsole"
        case sclpLMConsole = "sclplmconsole"
        case isaDebugCon = "isa-debugcon"
        case none
    }

    package var source = CharacterSource(.pty)
    package var target: Target?
    package var port: Int32?
    package var model: Model?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try source.mapType(&x)
        try source.map(&x)
        try x.group("target") { x in
            try x.attribute("type", &target)
            try x.attribute("port", &port)
            try x.valueElement("model", "name", &model)
        }
        try info.map(&x)
    }
}

/// A parallel port (`<parallel>`).
package struct ParallelPort: Equatable, Sendable, XMLMappable {
    package var source = CharacterSource(.pty)
    package var port: Int32?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try source.mapType(&x)
        try source.map(&x)
        try x.valueElement("target", "port", &port)
        try info.map(&x)
    }
}

/// A console (`<console>`); the first one may be the first serial port under another name.
package struct Console: Equatable, Sendable, XMLMappable {
    package enum Target: String, XMLEnum { case serial, virtio, xen, uml, openvz, sclp, sclplm, none }

    package var source = CharacterSource(.pty)
    package var target: Target?
    package var port: Int32?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try source.mapType(&x)
        try mapTTY(&x)
        try source.map(&x)
        try x.group("target") { x in
            try x.attribute("type", &target)
            try x.attribute("port", &port)
        }
        try info.map(&x)
    }

    /// The pseudo terminal of a running guest's first console stands on the element too.
    private func mapTTY<M: ElementMapper>(_ x: inout M) throws {
        guard x.isWriting, source.type == .pty, port ?? 0 == 0, !x.flags.contains(.inactive) else { return }
        var tty = source.path
        try x.attribute("tty", &tty)
    }
}

/// A channel between host and guest (`<channel>`).
package struct Channel: Equatable, Sendable, XMLMappable {
    package enum Target: String, XMLEnum { case guestfwd, virtio, xen }
    package enum State: String, XMLEnum { case connected, disconnected }

    package var source = CharacterSource(.pty)
    package var target = Target.virtio
    package var name: String?
    /// Whether the guest's end is open; only in a running guest.
    package var state: State?
    package var address: String?
    package var port: UInt32?
    package var info = DeviceInfo()

    package init() {}

    /// The name of the socket in the guest's own directory that a channel without a path has.
    package var socketName: String {
        if let name { return name }
        var place = VirtioSerialAddress()
        if case .virtioSerial(let own) = info.address { place = own }
        let parts = [place.controller, place.bus, place.port].map { ($0 < 10 ? "0" : "") + String($0) }
        return "vioser-" + parts.joined(separator: "-") + ".sock"
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try source.mapType(&x)
        try source.map(&x)
        try x.group("target") { try mapTarget(&$0) }
        try info.map(&x)
    }

    private mutating func mapTarget<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &target)
        switch target {
        case .guestfwd:
            try x.attribute("address", &address)
            try x.attribute("port", &port)
        case .virtio, .xen:
            try x.attribute("name", &name)
            if !x.flags.contains(.inactive) { try x.attribute("state", &state) }
        }
    }
}

/// A smart card reader (`<smartcard>`).
package struct Smartcard: Equatable, Sendable, XMLMappable {
    package enum Mode: String, XMLEnum {
        case host, passthrough
        case hostCertificates = "host-certificates"
    }

    package var mode = Mode.host
    package var source = CharacterSource(.spicevmc)
    package var certificates: [String] = []
    package var database: String?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("mode", &mode)
        switch mode {
        case .host: break
        case .hostCertificates:
            try x.textElements("certificate", &certificates)
            try x.textElement("database", &database)
        case .passthrough:
            try source.mapType(&x)
            try source.map(&x)
        }
        try info.map(&x)
    }
}
