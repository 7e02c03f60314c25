import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addMemoryDevices() throws(VirtError) {
        for memory in devices.memories {
            let alias = memory.info.alias ?? ""
            let backend = MemoryBackend(self, id: "mem\(alias)", module: memory)
            add(object: try backend.properties(canonicalName: false))
            add(device: try memoryDevice(memory, alias))
        }
    }

    private func memoryDevice(_ memory: MemoryDevice, _ alias: String) throws(VirtError) -> JSONObject {
        let drivers: [MemoryDevice.Model: String] = [
            .dimm: "pc-dimm", .nvdimm: "nvdimm", .virtioPMEM: "virtio-pmem-pci", .virtioMem: "virtio-mem-pci",
        ]
        guard let driver = drivers[memory.model] else {
            throw VirtError(.configUnsupported, .qemu, "memory device '\(memory.model.rawValue)' is not supported")
        }
        var properties: JSONObject = ["driver": .string(driver)]
        properties.add("node", memory.target.node)
        properties.add("label-size", memory.target.labelSize.map { $0 * 1024 })
        if memory.model == .virtioMem {
            properties.add("block-size", memory.target.blockSize.map { $0 * 1024 })
            properties.add("requested-size", memory.target.requestedSize.map { $0 * 1024 })
            if has(.virtioMemPciPrealloc), domain.memoryBacking.allocation == .immediate {
                properties.add("prealloc", true)
            }
        }
        properties.add("uuid", memory.uuid?.description)
        if memory.model == .nvdimm, memory.target.readonly { properties.add("unarmed", true) }
        properties.add("memdev", "mem\(alias)")
        properties.add("id", alias)
        try addAddress(memory.info, to: &properties)
        return properties
    }
}
