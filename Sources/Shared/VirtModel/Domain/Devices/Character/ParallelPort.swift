package import VirtXML

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
