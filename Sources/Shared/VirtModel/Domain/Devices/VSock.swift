import VirtCore
package import VirtXML

/// A device for sockets between host and guest (`<vsock>`).
package struct VSock: GuestDevice {
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

extension VSock {
    mutating func complete(_ context: DomainCompletion) {
        if model == nil { model = .virtio }
        if autoCID == nil { autoCID = cid == nil }
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        if let cid, cid < 3 { throw VirtError.unsupported("guest CIDs must be >= 3", .domain) }
    }
}

extension VSock: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { policy.virtio(isTransitional: model == .virtioTransitional) }
    func isVirtio(ccw: Bool) -> Bool { ccw }
}
