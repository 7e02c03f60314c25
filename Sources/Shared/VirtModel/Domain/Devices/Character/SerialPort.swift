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
