import VirtCore
package import VirtXML

/// A USB hub (`<hub>`).
package struct Hub: Equatable, Sendable, XMLMappable {
    package var type = "usb"
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &type)
        try info.map(&x)
    }
}

/// A USB device of a client (`<redirdev>`).
package struct RedirectedDevice: Equatable, Sendable, XMLMappable {
    package var bus = "usb"
    package var source = CharacterSource(.spicevmc)
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("bus", &bus)
        try source.mapType(&x)
        try source.map(&x)
        try info.map(&x, [.boot])
    }
}

/// Which USB devices a client may redirect (`<redirfilter>`).
package struct RedirectionFilter: Equatable, Sendable, XMLMappable {
    package struct USBDevice: Equatable, Sendable, XMLMappable {
        package var deviceClass: UInt32?
        package var vendor: UInt32?
        package var product: UInt32?
        package var version: String?
        package var allow = false

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try mapNumber("class", &deviceClass, 2, &x)
            try mapNumber("vendor", &vendor, 4, &x)
            try mapNumber("product", &product, 4, &x)
            try x.attribute("version", &version)
            if x.isReading { version = version.map(Self.padded) }
            try x.required("allow", &allow)
        }

        /// `2.0` is `2.00`.
        private static func padded(_ version: String) -> String {
            let parts = version.split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 2 && parts[1].utf8.count == 1 ? version + "0" : version
        }

        /// A number, or -1 for any.
        private func mapNumber<M: ElementMapper>(
            _ name: StaticString, _ value: inout UInt32?, _ width: Int, _ x: inout M
        ) throws {
            var number = value.map { Int64($0) }
            try x.attribute(name, &number, .upperHex(width))
            if x.isReading { value = number.flatMap { UInt32(exactly: $0) } }
        }
    }

    package var devices: [USBDevice] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.elements("usbdev", &devices) }
}

/// A watchdog (`<watchdog>`).
package struct Watchdog: Equatable, Sendable, XMLMappable {
    package enum Model: String, XMLEnum { case i6300esb, ib700, diag288, itco }
    package enum Action: String, XMLEnum {
        case reset, shutdown, poweroff, pause, dump, none
        case injectNMI = "inject-nmi"
    }

    package var model = Model.i6300esb
    package var action = Action.reset
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.attribute("action", &action)
        try info.map(&x)
    }
}

/// The device that gives memory back (`<memballoon>`).
package struct MemoryBalloon: Equatable, Sendable, XMLMappable {
    package enum Model: String, XMLEnum {
        case virtio, xen, none
        case virtioTransitional = "virtio-transitional"
        case virtioNonTransitional = "virtio-non-transitional"
    }

    package var model = Model.virtio
    package var autodeflate: Bool?
    package var freePageReporting: Bool?
    package var statsPeriod: Int32?
    package var virtio = VirtioOptions()
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.attribute("autodeflate", &autodeflate, .onOff)
        try x.attribute("freePageReporting", &freePageReporting, .onOff)
        try x.valueElement("stats", "period", &statsPeriod)
        if x.isReading, let period = statsPeriod, period <= 0 { statsPeriod = nil }
        try info.map(&x)
        try x.group("driver") { try virtio.map(&$0) }
    }
}

/// A source of random numbers (`<rng>`).
package struct RandomGenerator: Equatable, Sendable, XMLMappable {
    package enum Backend: String, XMLEnum { case random, egd, builtin }

    package var model = Disk.Model.virtio
    package var rateBytes: UInt32?
    package var ratePeriod: UInt32?
    package var backend = Backend.random
    package var device: String?
    package var source = CharacterSource(.udp)
    package var virtio = VirtioOptions()
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.group("rate") { x in
            try x.attribute("bytes", &rateBytes)
            try x.attribute("period", &ratePeriod)
        }
        if x.isReading, x.node?.children("backend").count != 1 {
            throw VirtError.malformed("only one RNG backend is supported")
        }
        try x.group("backend") { try mapBackend(&$0) }
        try x.group("driver") { try virtio.map(&$0) }
        try info.map(&x)
    }

    private mutating func mapBackend<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &backend)
        switch backend {
        case .random: try x.text(&device)
        case .egd:
            try source.mapType(&x)
            try source.map(&x)
        case .builtin: break
        }
    }
}

/// A device that tells of a guest's crash (`<panic>`).
package struct Panic: Equatable, Sendable, XMLMappable {
    package enum Model: String, XMLEnum { case `default`, pseries, isa, hyperv, s390, pvpanic }

    package var model: Model?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("model", &model)
        try info.map(&x)
    }
}

/// A device for sockets between host and guest (`<vsock>`).
package struct VSock: Equatable, Sendable, XMLMappable {
    package var model: Disk.Model?
    package var autoCID: Bool?
    package var cid: UInt32?
    package var virtio = VirtioOptions()
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("model", &model)
        try x.group("cid") { x in
            try x.attribute("auto", &autoCID)
            try x.attribute("address", &cid)
        }
        try info.map(&x)
        try x.group("driver") { try virtio.map(&$0) }
    }
}

/// An IOMMU (`<iommu>`).
package struct IOMMU: Equatable, Sendable, XMLMappable {
    package enum Model: String, XMLEnum { case intel, smmuv3, virtio }

    package var model = Model.intel
    package var interruptRemapping: Bool?
    package var cachingMode: Bool?
    package var eim: Bool?
    package var iotlb: Bool?
    package var addressWidthBits: UInt32?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.group("driver") { x in
            try x.attribute("intremap", &interruptRemapping, .onOff)
            try x.attribute("caching_mode", &cachingMode, .onOff)
            try x.attribute("eim", &eim, .onOff)
            try x.attribute("iotlb", &iotlb, .onOff)
            try x.attribute("aw_bits", &addressWidthBits)
        }
        try info.map(&x)
    }
}
