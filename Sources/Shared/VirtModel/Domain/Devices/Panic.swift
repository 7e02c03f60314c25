package import VirtXML

/// A device that tells of a guest's crash (`<panic>`).
package struct Panic: Equatable, Sendable, XMLMappable {
    package enum Model: String, XMLEnum { case `default`, pseries, isa, hyperv, s390, pvpanic }

    package var model: Model?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("model", &model)
        try info.map(&x)
    }
}
