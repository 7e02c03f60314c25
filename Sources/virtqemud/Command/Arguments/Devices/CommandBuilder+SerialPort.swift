import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addSerialPorts() throws(VirtError) {
        for serial in devices.serials {
            let alias = serial.info.alias ?? ""
            try add(chardev: serial.source, alias)
            if let properties = try serialDevice(serial, alias) {
                add(device: properties)
            } else {
                add("-serial", "chardev:char\(alias)")
            }
        }
    }

    /// nil for ports that are part of the machine.
    private func serialDevice(_ serial: SerialPort, _ alias: String) throws(VirtError) -> JSONObject? {
        switch serial.model {
        case .pl011, .uart16550a, SerialPort.Model.none?, nil: return nil
        case .isaSerial, .usbSerial, .pciSerial, .spaprVTY, .sclpConsole, .sclpLMConsole, .isaDebugCon: break
        }
        var properties: JSONObject = [
            "driver": .string(serial.model?.rawValue ?? ""), "chardev": .string("char\(alias)"), "id": .string(alias),
        ]
        if serial.model == .isaSerial { properties.add("index", serial.port ?? 0) }
        try addAddress(serial.info, to: &properties)
        return properties
    }
}
