import VirtCore
package import VirtXML

/// A USB device of a client (`<redirdev>`).
package struct RedirectedDevice: GuestDevice {
    package var bus = "usb"
    package var source = CharacterSource(.spicevmc)
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("bus", &bus)
        try source.mapType(&x)
        try source.map(&x)
        try info.map(&x, [.boot])
    }
}

extension RedirectedDevice {
    mutating func complete(_ context: DomainCompletion) {
        if source.type == .dbus, source.channel == nil { source.channel = "org.qemu.usbredir" }
    }

    func validate(_ context: DomainValidation) throws(VirtError) { try source.validate(context) }
}

extension RedirectedDevice: PlainDevice {}
