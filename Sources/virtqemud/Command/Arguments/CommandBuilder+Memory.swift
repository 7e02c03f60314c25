import QEMUMonitor
import VirtCore
import VirtModel

/// `-m`, memory backends, `-smp`, I/O threads, `-numa`, memory modules.
extension CommandBuilder {
    private static let mebibyte: UInt64 = 1 << 10

    /// KiB rounded up to whole MiB, or what else the machine wants.
    private func aligned(_ kibibytes: UInt64) -> UInt64 {
        MemoryBackend.aligned(kibibytes, to: machine.isPSeries ? Self.mebibyte << 8 : Self.mebibyte)
    }

    /// KiB that the guest has without memory modules.
    private var initialMemory: UInt64 {
        if !cells.isEmpty { return cells.reduce(0) { $0 &+ aligned($1.memory) } }
        let modules = devices.memories.reduce(UInt64(0)) { $0 &+ ($1.target.size ?? 0) }
        let total = domain.memory.size ?? 0
        return aligned(total >= modules ? total - modules : 0)
    }

    private var cells: [CPU.NUMA.Cell] { domain.cpu?.numa?.cells ?? [] }

    var hasMemoryAttributes: Bool {
        cells.contains { !$0.caches.isEmpty } || domain.cpu?.numa?.interconnects != nil
    }

    /// The id of the one backend of a guest without NUMA nodes.
    var memoryBackendID: String? {
        guard cells.isEmpty else { return nil }
        return capabilities.machine(domain.os.machine ?? "", kvm: isKVM)?.defaultRAMID
    }

    private func checkAlignment() throws(VirtError) {
        let most = UInt64(Int64.max) >> 10
        for cell in cells where aligned(cell.memory) > most {
            throw VirtError(
                .configUnsupported, .qemu, "memory size of NUMA node '\(cell.id ?? 0)' overflowed after alignment")
        }
    }

    mutating func addMemory() throws(VirtError) {
        try checkAlignment()
        if let maximum = domain.maximumMemory, let size = maximum.size {
            let slots = maximum.slots ?? 0
            add("-m", "size=\(initialMemory)k,slots=\(slots),maxmem=\(aligned(size))k")
        } else {
            add("-m", String(initialMemory / Self.mebibyte))
        }
        if let id = memoryBackendID {
            let backend = MemoryBackend(self, id: id, kibibytes: initialMemory, cell: nil)
            add(object: try backend.properties(canonicalName: true))
        }
        add("-overcommit", "mem-lock=\(onOff(domain.memoryBacking.locked))")
        addSMP()
        addIOThreads()
        try addNUMA()
    }

    private mutating func addSMP() {
        let maximum = domain.vcpu.maximum
        let states = domain.vcpuStates
        let current =
            states.isEmpty
            ? domain.vcpu.current ?? maximum
            : UInt32(truncatingIfNeeded: states.filter { $0.enabled && $0.hotpluggable != true }.count)
        var options = ["\(current)"]
        if current != maximum { options.append("maxcpus=\(maximum)") }
        if let topology = domain.cpu?.topology {
            options.append("sockets=\(topology.sockets)")
            if has(.smpDies) { options.append("dies=\(topology.dies)") }
            options += ["cores=\(topology.cores)", "threads=\(topology.threads)"]
        } else {
            options += ["sockets=\(maximum)", "cores=1", "threads=1"]
        }
        add("-smp", options.joined(separator: ","))
    }

    private mutating func addIOThreads() {
        for thread in domain.allIOThreads {
            var properties: JSONObject = ["qom-type": "iothread", "id": .string("iothread\(thread.id)")]
            properties.add("thread-pool-min", thread.poolMinimum)
            properties.add("thread-pool-max", thread.poolMaximum)
            add(object: properties)
        }
        guard let own = domain.defaultIOThread else { return }
        var properties: JSONObject = ["qom-type": "main-loop", "id": "main-loop"]
        properties.add("thread-pool-min", own.poolMinimum)
        properties.add("thread-pool-max", own.poolMaximum)
        add(object: properties)
    }

    // MARK: NUMA

    private mutating func addNUMA() throws(VirtError) {
        guard !cells.isEmpty else { return }
        var backends: [JSONObject] = []
        var needsBackends =
            capabilities.machine(domain.os.machine ?? "", kvm: isKVM)?.numaMemorySupported != true
            || hasMemoryAttributes
        for (index, cell) in cells.enumerated() {
            let id = "ram-node\(cell.id ?? UInt32(truncatingIfNeeded: index))"
            let backend = MemoryBackend(self, id: id, kibibytes: aligned(cell.memory), cell: cell)
            if backend.isSpecial, !usesOldHugepages { needsBackends = true }
            backends.append(try backend.properties(canonicalName: false))
        }
        if !needsBackends { addOldHugepages() }
        for (index, cell) in cells.enumerated() {
            if needsBackends { add(object: backends[index]) }
            addCell(cell, index, usesBackend: needsBackends)
        }
        addDistances()
        addInterconnects()
        addCaches()
    }

    /// Machines that still take plain sizes get default huge pages for all of their memory at once.
    private var usesOldHugepages: Bool {
        let backing = domain.memoryBacking
        return backing.hugepages && backing.pages.isEmpty && backing.access == nil
            && !cells.contains { $0.access != nil }
            && domain.numaTuning.nodes.isEmpty && environment.defaultHugepageSize != nil
    }

    private mutating func addOldHugepages() {
        guard usesOldHugepages, let size = environment.defaultHugepageSize,
            let path = environment.hugepageDirectories[size]
        else { return }
        add("-mem-prealloc", "-mem-path", path)
    }

    private mutating func addCell(_ cell: CPU.NUMA.Cell, _ index: Int, usesBackend: Bool) {
        let id = cell.id ?? UInt32(truncatingIfNeeded: index)
        var options = ["node", "nodeid=\(id)"]
        for part in cell.cpus?.description.split(separator: ",") ?? [] { options.append("cpus=\(part)") }
        if hasMemoryAttributes {
            options.append("initiator=\(cell.cpus?.isEmpty == false ? id : nearestInitiator(cell))")
        }
        options.append(usesBackend ? "memdev=ram-node\(id)" : "mem=\(aligned(cell.memory) / Self.mebibyte)")
        add("-numa", options.joined(separator: ","))
    }

    /// The node with processors that is the nearest to a node without.
    private func nearestInitiator(_ cell: CPU.NUMA.Cell) -> UInt32 {
        let candidates = cells.filter { $0.cpus?.isEmpty == false }
        let distance = { (other: CPU.NUMA.Cell) in cell.distances.first { $0.id == other.id ?? 0 }?.value ?? 20 }
        return candidates.min { distance($0) < distance($1) }?.id ?? 0
    }

    private mutating func addDistances() {
        guard cells.contains(where: { !$0.distances.isEmpty }) else { return }
        for (source, cell) in cells.enumerated() {
            for target in cells.indices {
                let other = cells[target]
                let forward = cell.distances.first { $0.id == UInt32(target) }?.value
                let backward = other.distances.first { $0.id == UInt32(source) }?.value
                let value = forward ?? backward ?? (source == target ? 10 : 20)
                add("-numa", "dist,src=\(source),dst=\(target),val=\(value)")
            }
        }
    }

    private mutating func addCaches() {
        for (index, cell) in cells.enumerated() {
            for cache in cell.caches {
                let policy =
                    ["writeback": "write-back", "writethrough": "write-through"][cache.policy.rawValue] ?? "none"
                let kind = cache.associativity == .full ? "complex" : cache.associativity.rawValue
                add(
                    "-numa",
                    "hmat-cache,node-id=\(index),size=\(cache.size)K,level=\(cache.level),associativity=\(kind),"
                        + "policy=\(policy),line=\(cache.line)")
            }
        }
    }

    private mutating func addInterconnects() {
        guard let interconnects = domain.cpu?.numa?.interconnects else { return }
        let levels = ["memory", "first-level", "second-level", "third-level"]
        let hierarchy = { (cache: UInt32?) in levels[min(Int(cache ?? 0), levels.count - 1)] }
        for latency in interconnects.latencies {
            add(
                "-numa",
                "hmat-lb,initiator=\(latency.initiator),target=\(latency.target),hierarchy=\(hierarchy(latency.cache)),"
                    + "data-type=\(latency.type.rawValue)-latency,latency=\(latency.value)")
        }
        for bandwidth in interconnects.bandwidths {
            add(
                "-numa",
                "hmat-lb,initiator=\(bandwidth.initiator),target=\(bandwidth.target),"
                    + "hierarchy=\(hierarchy(bandwidth.cache)),data-type=\(bandwidth.type.rawValue)-bandwidth,"
                    + "bandwidth=\(bandwidth.value)K")
        }
    }
}
