import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addRedirectedDevices() throws(VirtError) {
        for device in devices.redirectedDevices {
            let alias = device.info.alias ?? ""
            try add(chardev: device.source, alias)
            var properties: JSONObject = [
                "driver": "usb-redir", "chardev": .string("char\(alias)"), "id": .string(alias),
            ]
            properties.add("filter", redirectionFilter)
            properties.add("bootindex", device.info.boot?.order)
            try addAddress(device.info, to: &properties)
            add(device: properties)
        }
    }

    private var redirectionFilter: String? {
        guard let filter = devices.redirectionFilter, has(.usbRedirFilter) else { return nil }
        let rules = filter.devices.map { rule in
            let part = { (value: UInt32?, width: Int) in
                guard let value else { return "-1" }
                let digits = String(value, radix: 16).uppercased()
                return "0x" + String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
            }
            let version = rule.version.flatMap(Self.binaryVersion) ?? "-1"
            let numbers = [part(rule.deviceClass, 2), part(rule.vendor, 4), part(rule.product, 4), version]
            return numbers.joined(separator: ":") + ":\(rule.allow ? 1 : 0)"
        }
        return rules.isEmpty ? nil : rules.joined(separator: "|")
    }

    /// `2.10` as USB writes versions: 0x0210.
    private static func binaryVersion(_ text: String) -> String? {
        let parts = text.split(separator: ".")
        guard parts.count == 2, let major = UInt32(parts[0], radix: 16), major < 256 else { return nil }
        let minor = parts[1].count == 1 ? parts[1] + "0" : parts[1]
        guard let low = UInt32(minor, radix: 16), low < 256 else { return nil }
        let digits = String(major << 8 | low, radix: 16)
        return "0x" + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }
}
