package import VirtXML

/// A USB hub (`<hub>`).
package struct Hub: GuestDevice {
    package var type = "usb"
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &type)
        try info.map(&x)
    }
}

extension Hub: PlainDevice {}
