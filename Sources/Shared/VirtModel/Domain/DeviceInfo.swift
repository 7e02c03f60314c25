import VirtCore
package import VirtXML

/// What most devices have at the end of their element: boot order, alias, option ROM, address.
package struct DeviceInfo: Equatable, Sendable {
    /// The elements that only some devices take.
    package struct Parts: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let boot = Parts(rawValue: 1)
        package static let rom = Parts(rawValue: 2)
    }

    package var boot: DeviceBoot?
    /// The name on the command line and in the monitor; in a definition only what the user chose ("ua-...").
    package var alias: String?
    /// The first port that a companion USB controller serves for its master.
    package var masterStartPort: UInt32?
    package var rom: OptionROM?
    package var acpiIndex: UInt32?
    package var address: DeviceAddress?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M, _ parts: Parts = []) throws {
        if parts.contains(.boot) { try x.element("boot", &boot) }
        try mapAlias(&x)
        try x.valueElement("master", "startport", &masterStartPort)
        if parts.contains(.rom) { try x.element("rom", &rom) }
        if x.isReading, rom == OptionROM() { rom = nil }
        try x.valueElement("acpi", "index", &acpiIndex)
        try mapAddress(&x)
    }

    private mutating func mapAlias<M: ElementMapper>(_ x: inout M) throws {
        let isDefinition = x.flags.contains(.inactive)
        var shown = isDefinition && !isUserAlias ? nil : alias
        try x.valueElement("alias", "name", &shown)
        guard x.isReading else { return }
        alias = shown
        if isDefinition, !isUserAlias { alias = nil }
    }

    private mutating func mapAddress<M: ElementMapper>(_ x: inout M) throws {
        // An address without attributes says that the kind of address is wanted, in reading only.
        try x.element("address", &address)
    }

    /// Whether the alias is the user's choice and made of the characters for that.
    package var isUserAlias: Bool {
        guard let alias, alias.hasPrefix("ua-") else { return false }
        return alias.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}

extension DeviceInfo {
    /// Refuses a place that the guest's machine has not.
    func validate(_ context: DomainValidation) throws(VirtError) {
        guard address?.pci?.zpci != nil, !context.emulator.has("zpci") else { return }
        throw VirtError.unsupported("This QEMU binary doesn't support zPCI", .qemu)
    }
}

/// A device's place in the boot order.
package struct DeviceBoot: Equatable, Sendable, XMLMappable {
    package var order: UInt32 = 0
    /// What an s390 guest loads from the device.
    package var loadparm: String?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("order", &order)
        try x.attribute("loadparm", &loadparm)
        if x.isReading {
            if order == 0 {
                throw VirtError.invalidAttribute(
                    "order", of: "boot", value: "0", expectation: ". Expected positive value")
            }
            loadparm = try loadparm.map(BootOptions.checkedLoadparm)
        }
    }
}

/// A PCI device's option ROM.
package struct OptionROM: Equatable, Sendable, XMLMappable {
    package var enabled: Bool?
    package var bar: Bool?
    package var file: String?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("enabled", &enabled)
        try x.attribute("bar", &bar, .onOff)
        try x.attribute("file", &file)
    }
}

/// The options of virtio devices (attributes of `<driver>`).
package struct VirtioOptions: Equatable, Sendable {
    package var iommu: Bool?
    package var ats: Bool?
    package var packed: Bool?
    package var pagePerVQ: Bool?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("iommu", &iommu, .onOff)
        try x.attribute("ats", &ats, .onOff)
        try x.attribute("packed", &packed, .onOff)
        try x.attribute("page_per_vq", &pagePerVQ, .onOff)
    }

    /// The error for a device that is none of virtio's.
    func refuse() throws(VirtError) {
        let options = [("iommu", iommu), ("ats", ats), ("packed", packed), ("page_per_vq", pagePerVQ)]
        for (name, value) in options where value != nil {
            throw VirtError.unsupported("\(name) driver option is only supported for virtio devices")
        }
    }
}
