package import VirtXML

/// POWER's non-volatile memory (`<nvram>` among the devices).
package struct NVRAMDevice: GuestDevice {
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws { try info.map(&x) }
}

extension NVRAMDevice: PlainDevice {}
