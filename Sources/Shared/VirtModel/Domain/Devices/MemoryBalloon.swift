package import VirtXML

/// The device that gives memory back (`<memballoon>`).
package struct MemoryBalloon: GuestDevice {
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

extension MemoryBalloon: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        switch model {
        case .virtio, .virtioNonTransitional: policy.express
        case .virtioTransitional: PCIPolicy.legacy
        case .xen, .none: []
        }
    }

    func isVirtio(ccw: Bool) -> Bool { model != .none }
}

extension MemoryBalloon {
    /// What is none has no place.
    mutating func complete(_ context: DomainCompletion) {
        if model == .none { info.address = nil }
    }
}
