import VirtCore
import VirtModel
import VirtOS

/// The USB devices of the host, as sysfs shows them.
struct USBDevices: Sendable {
    struct Device: Sendable, Equatable {
        var vendor: UInt32
        var product: UInt32
        var bus: UInt32
        var number: UInt32
    }

    let all: [Device]

    /// Blocks.
    static func read(_ directory: String = "/sys/bus/usb/devices") throws(VirtError) -> USBDevices {
        guard FileSystem.isDirectory(directory) else {
            throw .system(2, .none, "cannot open directory '\(directory)'")
        }
        var all: [Device] = []
        // `1-1:1.0` is an interface of a device. One that is pulled out meanwhile has no files.
        for name in try FileSystem.names(in: directory) where !name.contains(":") {
            func number(_ file: String, _ radix: Int) -> UInt32? {
                SysFile.text("\(directory)/\(name)/\(file)").flatMap { UInt32($0, radix: radix) }
            }
            let bus = name.hasPrefix("usb") ? name.dropFirst(3) : name.prefix { $0 != "-" }
            guard let vendor = number("idVendor", 16), let product = number("idProduct", 16),
                let device = number("devnum", 10), let bus = UInt32(bus)
            else { continue }
            all.append(Device(vendor: vendor, product: product, bus: bus, number: device))
        }
        return USBDevices(all: all)
    }

    /// Where a guest's device is now. Nil: it is not there, and the guest may start without it.
    func find(_ source: HostdevSource) throws(VirtError) -> Device? {
        let (vendor, product) = (source.vendor ?? 0, source.product ?? 0)
        let place = source.usbBus.flatMap { bus in source.usbDevice.map { (bus, $0) } }
        let found = all.filter { device in
            (vendor == 0 || device.vendor == vendor && device.product == product)
                && (place.map { device.bus == $0 && device.number == $1 } ?? true)
        }
        if vendor != 0, place == nil, found.count > 1 {
            throw VirtError(
                .operationFailed, .none,
                "Multiple USB devices for \(Self.hex(vendor, 1)):\(Self.hex(product, 1)), use <address> to specify one")
        }
        if let device = found.first { return device }
        guard source.startupPolicy != .optional else { return nil }
        let kind = vendor == 0 ? "" : " \(Self.hex(vendor, 4)):\(Self.hex(product, 4))"
        let position = place.map { " bus:\($0) device:\($1)" } ?? ""
        throw VirtError(.internalError, .none, "Did not find USB device\(kind)\(position)")
    }

    private static func hex(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

extension HostdevSource {
    /// The node of a USB device that was found.
    var usbNode: String? {
        guard let usbBus, let usbDevice, usbMissing != true else { return nil }
        func three(_ value: UInt32) -> String {
            String(repeating: "0", count: max(0, 3 - "\(value)".count)) + "\(value)"
        }
        return "/dev/bus/usb/\(three(usbBus))/\(three(usbDevice))"
    }
}
