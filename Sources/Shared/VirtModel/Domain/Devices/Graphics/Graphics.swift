import VirtCore
package import VirtXML

/// A display (`<graphics>`).
package struct Graphics: GuestDevice {
    package enum Kind: String, XMLEnum {
        case sdl, vnc, rdp, desktop, spice, dbus
        case eglHeadless = "egl-headless"
    }
    package enum SharePolicy: String, XMLEnum {
        case ignore
        case allowExclusive = "allow-exclusive"
        case forceShared = "force-shared"
    }
    package enum ConnectedAction: String, XMLEnum { case fail, disconnect, keep }

    package var type = Kind.vnc
    /// A port of 0 with `autoport`: chosen at start; what a running guest has otherwise.
    package var port: Int32?
    package var tlsPort: Int32?
    package var autoport: Bool?
    package var websocket: Int32?
    package var websocketGenerated: Bool?
    package var keymap: String?
    package var sharePolicy: SharePolicy?
    package var powerControl: Bool?
    package var password: String?
    package var passwordValidTo: String?
    package var passwordConnected: ConnectedAction?
    package var defaultMode: String?
    package var display: String?
    package var xauth: String?
    package var fullscreen: Bool?
    package var listens: [GraphicsListen] = []
    package var spice = SpiceOptions()
    package var gl: GL?
    package var dbusAddress: String?
    package var dbusP2P: Bool?
    package var audioID: UInt32?
    /// The compatibility attributes of the element, until the listens are put together.
    var legacyListen: String?
    var legacySocket: String?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &type)
        switch type {
        case .vnc: try mapVNC(&x)
        case .spice: try mapSpice(&x)
        case .sdl:
            try x.attribute("display", &display)
            try x.attribute("xauth", &xauth)
            try x.attribute("fullscreen", &fullscreen)
        case .dbus:
            try x.attribute("p2p", &dbusP2P)
            if !x.flags.contains(.inactive) { try x.attribute("address", &dbusAddress) }
        case .eglHeadless, .rdp, .desktop: break
        }
        if type == .vnc || type == .spice { try mapListens(&x) }
        if type == .spice { try spice.mapChildren(&x) }
        if type == .vnc { try x.valueElement("audio", "id", &audioID) }
        try x.element("gl", &gl)
        if type == .dbus { try x.valueElement("audio", "id", &audioID) }
    }

    private mutating func mapVNC<M: ElementMapper>(_ x: inout M) throws {
        try mapPorts(&x, automatic: "autoport")
        try mapListenAttributes(&x)
        try x.attribute("keymap", &keymap)
        try x.attribute("sharePolicy", &sharePolicy)
        try x.attribute("powerControl", &powerControl)
        try mapPassword(&x)
    }

    private mutating func mapSpice<M: ElementMapper>(_ x: inout M) throws {
        try mapPorts(&x, automatic: "autoport")
        try mapListenAttributes(&x)
        try x.attribute("keymap", &keymap)
        try x.attribute("defaultMode", &defaultMode)
        try mapPassword(&x)
        if x.isReading, defaultMode == "any" { defaultMode = nil }
    }

    private mutating func mapPassword<M: ElementMapper>(_ x: inout M) throws {
        if x.isWriting, !x.flags.contains(.secure) { return }
        try x.attribute("passwd", &password)
        try x.attribute("passwdValidTo", &passwordValidTo)
        try x.attribute("connected", &passwordConnected)
    }

    /// Whether all ports are for the daemon to choose.
    package var isAutomatic: Bool { autoport == true }

    /// What the graphics can do with OpenGL.
    package struct GL: Equatable, Sendable, XMLMappable {
        package var enable: Bool?
        package var renderNode: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("enable", &enable)
            try x.attribute("rendernode", &renderNode)
        }
    }
}

extension Graphics {
    /// SPICE without any port listens nowhere.
    mutating func complete(_ context: DomainCompletion) {
        guard type == .spice, let first = listens.first, first.type == .address, port == nil, tlsPort == nil,
            !isAutomatic
        else { return }
        listens[0].type = .none
        listens[0].address = nil
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        switch type {
        case .spice: try validateSpice(context)
        case .eglHeadless: try validateHeadless(context.devices.graphics)
        case .rdp, .desktop: throw VirtError.unsupported("unsupported graphics type '\(type.rawValue)'", .qemu)
        case .vnc, .sdl, .dbus: break
        }
        if context.devices.graphics.count(where: { $0.gl?.enable == true || $0.type == .eglHeadless }) > 1 {
            throw VirtError.unsupported("multiple OpenGL displays are not supported by QEMU", .qemu)
        }
    }

    private func validateSpice(_ context: DomainValidation) throws(VirtError) {
        guard !context.host.spiceTLS, let tlsPort, tlsPort > 0 else { return }
        throw VirtError.unsupported(
            "spice TLS port set in XML configuration, but TLS is disabled in qemu.conf", .qemu)
    }

    private func validateHeadless(_ all: [Graphics]) throws(VirtError) {
        guard all.count > 1, !all.contains(where: { $0.type == .vnc || $0.type == .spice }) else { return }
        throw VirtError.unsupported(
            "graphics type 'egl-headless' is only supported with one of: 'vnc', 'spice' graphics types", .qemu)
    }
}
