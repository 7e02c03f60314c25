import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addIOMMU() throws(VirtError) {
        guard let iommu = devices.iommu else { return }
        switch iommu.model {
        case .smmuv3: return
        case .intel:
            var properties: JSONObject = ["driver": "intel-iommu", "id": .string(iommu.info.alias ?? "iommu0")]
            properties.add("intremap", iommu.interruptRemapping.map(onOff))
            properties.add("caching-mode", iommu.cachingMode)
            properties.add("eim", iommu.eim.map(onOff))
            properties.add("device-iotlb", iommu.iotlb)
            properties.add("aw-bits", iommu.addressWidthBits)
            add(device: properties)
        case .virtio:
            var properties: JSONObject = ["driver": "virtio-iommu", "id": .string(iommu.info.alias ?? "iommu0")]
            try addAddress(iommu.info, to: &properties)
            add(device: properties)
        }
    }
}
