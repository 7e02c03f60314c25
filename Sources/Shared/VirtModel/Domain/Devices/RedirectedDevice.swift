package import VirtXML

/// A USB device of a client (`<redirdev>`).
package struct RedirectedDevice: Equatable, Sendable, XMLMappable {
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
