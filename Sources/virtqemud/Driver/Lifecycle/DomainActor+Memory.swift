import QEMUMonitor
import VirtCore
import VirtModel

/// Memory modules: where QEMU put them, and how much of them the guest has.
extension DomainActor {
    /// Takes over the answer of `query-memory-devices`.
    func adoptMemoryDevices(_ answer: JSONValue) {
        for entry in answer.array ?? [] {
            guard let data = entry["data"], let alias = data["id"]?.string else { continue }
            changeMemory(alias) { module in
                switch module.model {
                case .dimm, .nvdimm:
                    guard case .dimm(var address)? = module.info.address, let base: UInt64 = data["addr"]?.integer()
                    else { return }
                    address.base = base
                    if let slot: UInt32 = data["slot"]?.integer() { address.slot = slot }
                    module.info.address = .dimm(address)
                case .virtioMem:
                    if let bytes: UInt64 = data["size"]?.integer() { module.target.currentSize = bytes / 1024 }
                case .virtioPMEM, .sgxEPC: return
                }
            }
        }
    }

    /// The guest gave memory back or took some.
    func memoryChanged(_ data: JSONValue) {
        guard let alias = data["id"]?.string, let bytes: UInt64 = data["size"]?.integer() else { return }
        changeMemory(alias) { $0.target.currentSize = bytes / 1024 }
        publish()
        scheduleSave()
    }

    private func changeMemory(_ alias: String, _ change: (inout MemoryDevice) -> Void) {
        guard var domain = live, let index = domain.devices.memories.firstIndex(where: { $0.info.alias == alias })
        else {
            return
        }
        change(&domain.devices.memories[index])
        live = domain
    }
}

extension Domain {
    /// Memory of the guest that has no place of its own is in files of its directory of memory.
    var usesMemoryFiles: Bool {
        switch memoryBacking.source {
        case .file?: true
        case .anonymous?, .memfd?: false
        case nil:
            memoryBacking.access != nil || cpu?.numa?.cells.contains { $0.access != nil } == true
                || devices.memories.contains { $0.access != nil && $0.source.path == nil }
        }
    }
}
