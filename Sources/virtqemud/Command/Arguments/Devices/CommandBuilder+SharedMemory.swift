import QEMUMonitor
import VirtCore
import VirtModel

extension CommandBuilder {
    mutating func addSharedMemories() throws(VirtError) {
        for memory in devices.sharedMemories { try add(memory) }
    }

    private mutating func add(_ memory: SharedMemory) throws(VirtError) {
        let alias = memory.info.alias ?? ""
        var properties: JSONObject
        switch memory.model {
        case .ivshmemPlain:
            add(object: [
                "qom-type": "memory-backend-file", "id": .string("shmmem-\(alias)"),
                "mem-path": .string("/dev/shm/\(memory.name)"), "size": .integer(try bytes(of: memory)), "share": true,
            ])
            properties = ["driver": "ivshmem-plain", "id": .string(alias), "memdev": .string("shmmem-\(alias)")]
        case .ivshmem, .ivshmemDoorbell:
            properties = ["driver": "ivshmem-doorbell", "id": .string(alias), "chardev": .string("char\(alias)")]
            properties.add("vectors", memory.msiVectors)
            properties.add("ioeventfd", memory.msiIOEventFD)
        }
        if memory.model == .ivshmemPlain || memory.role != nil {
            properties.add("master", memory.role.map { onOff($0 == .master) })
        }
        try addAddress(memory.info, to: &properties)
        add(device: properties)
        guard memory.model != .ivshmemPlain else { return }
        let path = memory.serverPath ?? "/var/lib/libvirt/shmem-\(memory.name)-sock"
        add("-chardev", "socket,id=char\(alias),path=\(KeyValueText.escape(path))")
    }

    private func bytes(of memory: SharedMemory) throws(VirtError) -> UInt64 {
        let (size, overflow) = (memory.size ?? 4).multipliedReportingOverflow(by: 1 << 20)
        guard !overflow, size > 0, size & (size - 1) == 0 else {
            throw VirtError(.xmlError, .qemu, "shmem size must be a power of two")
        }
        return size
    }
}
