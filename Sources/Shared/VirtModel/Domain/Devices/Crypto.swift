package import VirtXML

/// A virtual crypto card (`<crypto>`).
package struct Crypto: GuestDevice {
    package enum Backend: String, XMLEnum { case builtin, lkcf }

    package var model = "virtio"
    package var type = "qemu"
    package var backend = Backend.builtin
    package var queues: UInt32?
    package var virtio = VirtioOptions()
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.required("type", &type)
        try x.group("backend") { x in
            try x.required("model", &backend)
            try x.attribute("queues", &queues)
        }
        try x.group("driver") { try virtio.map(&$0) }
        try info.map(&x)
    }
}

extension Crypto: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { policy.express }
    func isVirtio(ccw: Bool) -> Bool { true }
}
