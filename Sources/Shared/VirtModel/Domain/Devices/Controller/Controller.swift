import VirtCore
package import VirtXML

/// A controller that other devices are plugged into (`<controller>`).
package struct Controller: Equatable, Sendable, XMLMappable {
    package enum Kind: String, XMLEnum {
        case ide, fdc, scsi, sata, ccid, usb, pci, xenbus, isa
        case virtioSerial = "virtio-serial"
    }

    package var type = Kind.pci
    /// Nil until it is chosen.
    package var index: UInt32?
    package var model: ControllerModel?
    package var ports: UInt32?
    package var vectors: Int32?
    package var maxGrantFrames: Int32?
    /// The PCI device's name in QEMU (`<model name=''/>`).
    package var modelName: String?
    package var target: Target?
    /// The 64-bit PCI hole in KiB.
    package var pciHole64: UInt64?
    package var driver: Driver?
    package var info = DeviceInfo()

    package init() {}

    package init(_ type: Kind, index: UInt32, model: ControllerModel? = nil) {
        self.type = type
        self.index = index
        self.model = model
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &type, invalid: nil)
        try mapIndex(&x)
        try x.attribute("model", &model)
        try x.attribute("ports", &ports)
        try x.attribute("vectors", &vectors)
        try x.attribute("maxGrantFrames", &maxGrantFrames)
        if type == .pci {
            try x.valueElement("model", "name", &modelName)
            try x.element("target", &target)
        }
        try x.element("driver", &driver)
        try info.map(&x)
        try x.sizeElement("pcihole64", kibibytes: &pciHole64)
        if x.isReading {
            try checkModel()
            if info.masterStartPort == nil { info.masterStartPort = model?.companionPort }
        }
    }

    private mutating func mapIndex<M: ElementMapper>(_ x: inout M) throws {
        var text: String? = index.map { String($0) }
        try x.attribute("index", &text)
        guard x.isReading, let text else { return }
        guard let number: UInt32 = IntegerText.parse(text), number <= UInt32(Int32.max) else {
            throw VirtError.invalidAttribute(
                "index", of: "controller", value: text, expectation: ". Expected non-negative value")
        }
        index = number
    }

    private func checkModel() throws(VirtError) {
        guard let model else { return }
        guard model.kinds.contains(type) else {
            throw VirtError(
                .internalError, .domain, "Unknown model type '\(model.rawValue)'")
        }
    }

    /// What a PCI controller is on its own bus.
    package struct Target: Equatable, Sendable, XMLMappable {
        package var chassisNumber: UInt32?
        package var chassis: UInt32?
        package var port: UInt32?
        package var busNumber: UInt32?
        package var index: UInt32?
        package var hotplug: Bool?
        package var node: UInt32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("chassisNr", &chassisNumber)
            try x.attribute("chassis", &chassis)
            try x.attribute("port", &port, .hex(1))
            try x.attribute("busNr", &busNumber)
            try x.attribute("index", &index)
            try x.attribute("hotplug", &hotplug, .onOff)
            try x.textElement("node", &node)
        }

        package var isEmpty: Bool { self == Target() }
    }

    package struct Driver: Equatable, Sendable, XMLMappable {
        package var queues: UInt32?
        package var commandsPerLUN: UInt32?
        package var maximumSectors: UInt32?
        package var ioeventfd: Bool?
        package var iothread: UInt32?
        package var virtio = VirtioOptions()

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("queues", &queues)
            try x.attribute("cmd_per_lun", &commandsPerLUN)
            try x.attribute("max_sectors", &maximumSectors)
            try x.attribute("ioeventfd", &ioeventfd, .onOff)
            try x.attribute("iothread", &iothread)
            try virtio.map(&x)
        }
    }
}
