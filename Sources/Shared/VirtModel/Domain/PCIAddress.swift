import VirtCore
package import VirtXML

/// A PCI address, of a guest's device or of one of the host.
package struct PCIAddress: Hashable, Sendable, XMLMappable {
    package var domain: UInt32 = 0
    package var bus: UInt32 = 0
    package var slot: UInt32 = 0
    package var function: UInt32 = 0
    package var multifunction: Bool?
    package var zpci: ZPCIAddress?

    package init() {}

    package init(domain: UInt32 = 0, bus: UInt32, slot: UInt32, function: UInt32 = 0, multifunction: Bool? = nil) {
        self.domain = domain
        self.bus = bus
        self.slot = slot
        self.function = function
        self.multifunction = multifunction
    }

    /// All zero: where libvirt chooses the place.
    package var isEmpty: Bool { domain == 0 && bus == 0 && slot == 0 && function == 0 }

    /// Whether it is the same function, whatever else the addresses say.
    func isSamePlace(as other: PCIAddress) -> Bool {
        domain == other.domain && bus == other.bus && slot == other.slot && function == other.function
    }

    /// `0000:00:1f.2`.
    package var text: String {
        hex(domain, 4) + ":" + hex(bus, 2) + ":" + hex(slot, 2) + "." + hex(function, 1)
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("domain", &domain, .hex(4))
        try x.attribute("bus", &bus, .hex(2))
        try x.attribute("slot", &slot, .hex(2))
        try x.attribute("function", &function, .hex(1))
        try x.attribute("multifunction", &multifunction, .onOff)
        try x.element("zpci", &zpci)
        if x.isReading { try checkRange() }
    }

    private func checkRange() throws(VirtError) {
        guard domain <= 0xFFFF else { throw tooLarge("domain", domain, "0xFFFF", width: 0) }
        guard bus <= 0xFF else { throw tooLarge("bus", bus, "0xFF", width: 0) }
        guard slot <= 0x1F else { throw tooLarge("slot", slot, "0x1F", width: 0) }
        guard function <= 7 else {
            throw VirtError.malformed("Invalid PCI address function=0x\(hex(function, 1)), must be <= 7", .none)
        }
    }

    private func tooLarge(_ name: String, _ value: UInt32, _ limit: String, width: Int) -> VirtError {
        .malformed("Invalid PCI address \(name)='0x\(hex(value, width))', must be <= \(limit)", .none)
    }

    private func hex(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

/// The identifiers that a PCI device has on s390.
package struct ZPCIAddress: Hashable, Sendable, XMLMappable {
    package var uid: UInt32?
    package var fid: UInt32?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("uid", &uid, .hex(4))
        try x.attribute("fid", &fid, .hex(8))
        if x.isReading, let uid, uid == 0 || uid > 0xFFFF {
            let shown = uid == 0 ? "0000" : String(uid, radix: 16)
            throw VirtError.malformed(
                "Invalid PCI address uid='0x\(shown)', must be > 0x0000 and <= 0xffff", .none)
        }
    }
}
