package import VirtXML

/// A watchdog (`<watchdog>`).
package struct Watchdog: Equatable, Sendable, XMLMappable {
    package enum Model: String, XMLEnum { case i6300esb, ib700, diag288, itco }
    package enum Action: String, XMLEnum {
        case reset, shutdown, poweroff, pause, dump, none
        case injectNMI = "inject-nmi"
    }

    package var model = Model.i6300esb
    package var action = Action.reset
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.attribute("action", &action)
        try info.map(&x)
    }
}
