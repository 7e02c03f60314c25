import VirtCore
package import VirtXML

/// An IOMMU (`<iommu>`).
package struct IOMMU: GuestDevice {
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

extension IOMMU {
    func validate(_ context: DomainValidation) throws(VirtError) {
        switch model {
        case .intel: try validateIntel(context)
        case .smmuv3:
            guard context.machine.isARMVirt else {
                throw VirtError.unsupported("IOMMU device: 'smmuv3' is only supported with ARM Virt machines", .qemu)
            }
        case .virtio: break
        }
    }

    private func validateIntel(_ context: DomainValidation) throws(VirtError) {
        guard context.machine.isQ35 else {
            throw VirtError.unsupported("IOMMU device: 'intel' is only supported with Q35 machines", .qemu)
        }
        if interruptRemapping == true, context.domain.features.ioapic != .qemu {
            throw VirtError.unsupported(
                "IOMMU interrupt remapping requires split I/O APIC (ioapic driver='qemu')", .qemu)
        }
        if eim == true, interruptRemapping != true {
            throw VirtError.unsupported("IOMMU eim requires interrupt remapping to be enabled", .qemu)
        }
    }
}

extension IOMMU: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { model == .virtio ? [.integrated] : [] }
}
