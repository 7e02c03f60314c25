package import VirtXML

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
