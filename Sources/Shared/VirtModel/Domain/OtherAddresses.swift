import VirtCore
package import VirtXML

/// A disk's place on an IDE, SATA, SCSI or floppy controller.
package struct DriveAddress: Hashable, Sendable, XMLMappable {
    package var controller: UInt32 = 0
    package var bus: UInt32 = 0
    package var target: UInt32 = 0
    package var unit: UInt32 = 0

    package init() {}

    package init(controller: UInt32 = 0, bus: UInt32 = 0, target: UInt32 = 0, unit: UInt32 = 0) {
        self.controller = controller
        self.bus = bus
        self.target = target
        self.unit = unit
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("controller", &controller)
        try x.attribute("bus", &bus)
        try x.attribute("target", &target)
        try x.attribute("unit", &unit)
    }
}

extension DriveAddress {
    /// As libvirt's errors name it.
    var text: String { "controller='\(controller)' bus='\(bus)' target='\(target)' unit='\(unit)'" }
}

/// A port of a virtio-serial controller.
package struct VirtioSerialAddress: Hashable, Sendable, XMLMappable {
    package var controller: UInt32 = 0
    package var bus: UInt32 = 0
    package var port: UInt32 = 0

    package init() {}

    package init(controller: UInt32, bus: UInt32 = 0, port: UInt32) {
        self.controller = controller
        self.bus = bus
        self.port = port
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("controller", &controller)
        try x.attribute("bus", &bus)
        try x.attribute("port", &port)
    }
}

/// A slot of a smart card controller.
package struct CCIDAddress: Hashable, Sendable, XMLMappable {
    package var controller: UInt32 = 0
    package var slot: UInt32 = 0

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("controller", &controller)
        try x.attribute("slot", &slot)
    }
}

/// A port of a USB controller, or of the hubs below it.
package struct USBAddress: Hashable, Sendable, XMLMappable {
    package var bus: UInt32 = 0
    /// The port numbers from the controller to the device; empty when it is not chosen yet.
    package var path: [UInt32] = []

    package init() {}

    package init(bus: UInt32, path: [UInt32]) {
        self.bus = bus
        self.path = path
    }

    /// `1.2`.
    package var port: String { path.map { String($0) }.joined(separator: ".") }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("bus", &bus)
        var text: String? = path.isEmpty ? nil : port
        try x.attribute("port", &text)
        if x.isReading, let text { path = try Self.path(text) }
    }

    private static func path(_ text: String) throws(VirtError) -> [UInt32] {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        var path: [UInt32] = []
        for part in parts {
            guard path.count < 4, let number: UInt32 = IntegerText.parse(String(part)) else {
                throw VirtError(.internalError, .domain, "Cannot parse <address> 'port' attribute")
            }
            path.append(number)
        }
        return path
    }
}

/// A register on POWER's virtual bus.
package struct SpaprVIOAddress: Hashable, Sendable, XMLMappable {
    package var reg: UInt64?

    package init() {}
    package init(reg: UInt64?) { self.reg = reg }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("reg", &reg, .hex(8))
        if x.isReading, let reg, reg > UInt64(UInt32.max) {
            throw VirtError.unsupported(
                "spapr-vio reg='0x\(String(reg, radix: 16))' exceeds maximum possible value (0xffffffff)", .qemu)
        }
    }
}

/// A channel of an s390 guest; without numbers, libvirt chooses them.
package struct CCWAddress: Hashable, Sendable, XMLMappable {
    package var cssid: UInt32?
    package var ssid: UInt32?
    package var devno: UInt32?

    package init() {}

    package init(cssid: UInt32, ssid: UInt32, devno: UInt32) {
        self.cssid = cssid
        self.ssid = ssid
        self.devno = devno
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("cssid", &cssid, .hex(1))
        try x.attribute("ssid", &ssid, .hex(1))
        try x.attribute("devno", &devno, .hex(4))
        guard x.isReading else { return }
        let given = [cssid, ssid, devno].filter { $0 != nil }.count
        guard given == 0 || given == 3 else {
            throw VirtError(.internalError, .domain, "Invalid partial specification for virtio ccw address")
        }
    }
}

/// A port of the ISA bus.
package struct ISAAddress: Hashable, Sendable, XMLMappable {
    package var iobase: UInt32?
    package var irq: UInt32?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("iobase", &iobase, .hex(1))
        try x.attribute("irq", &irq, .hex(1))
    }
}

/// A memory slot.
package struct DIMMAddress: Hashable, Sendable, XMLMappable {
    package var slot: UInt32 = 0
    package var base: UInt64?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("slot", &slot)
        try x.attribute("base", &base, .hex(1))
    }
}
