import VirtCore
import VirtXML

extension DomainValidation {
    func checkMemory() throws {
        let nodes = domain.cpu?.numa?.cells ?? []
        let isHotplug = domain.maximumMemory != nil
        if isHotplug, nodes.isEmpty, !machine.isPPC64 {
            throw VirtError.unsupported(
                "At least one numa node has to be configured when enabling memory hotplug", .qemu)
        }
        if !isHotplug, devices.memories.contains(where: { $0.model != .sgxEPC }) {
            throw VirtError.unsupported(
                "cannot use/hotplug a memory device when domain 'maxMemory' is not defined", .qemu)
        }
        try checkHugePages(nodes.count)
        let backing = domain.memoryBacking
        if backing.hugepages, backing.source == .anonymous {
            throw VirtError.unsupported("hugepages are not allowed with anonymous memory source", .domain)
        }
        for memory in devices.memories { try check(memory, nodes.count) }
    }

    private func check(_ memory: MemoryDevice, _ nodes: Int) throws {
        if memory.model == .sgxEPC, !emulator.has("sgx-epc") {
            throw VirtError.unsupported("sgx epc isn't supported by this QEMU binary", .qemu)
        }
        if memory.model == .nvdimm, memory.uuid != nil, !machine.isPPC64 {
            throw VirtError.unsupported("UUID is not supported for NVDIMM device", .qemu)
        }
        if let node = memory.target.node, Int(node) >= nodes {
            throw VirtError(
                .xmlDetail, .qemu,
                "can't add memory backend for guest node '\(node)' as the guest has only '\(nodes)' NUMA nodes "
                    + "configured")
        }
    }

    private func checkHugePages(_ nodes: Int) throws {
        var general: UInt64?
        for page in domain.memoryBacking.pages {
            guard let set = page.nodeset else {
                if let general {
                    throw VirtError(
                        .xmlDetail, .domain, "two master hugepages detected: \(general) and \(page.size)")
                }
                general = page.size
                continue
            }
            if let missing = set.members.first(where: { $0 >= UInt32(clamping: max(nodes, 1)) }) {
                throw VirtError(.xmlDetail, .qemu, "hugepages: node \(missing) not found")
            }
        }
    }

    func checkNUMA() throws {
        let tuning = domain.numaTuning
        if tuning.placement == .static, tuning.nodeset == nil {
            throw VirtError.unsupported("nodeset for NUMA memory tuning must be set if 'placement' is 'static'")
        }
        if tuning.placement == .auto, !tuning.nodes.isEmpty {
            throw VirtError.unsupported("Per-node binding is not compatible with automatic NUMA placement.")
        }
        for node in tuning.nodes where (node.mode == .restrictive) != (tuning.mode == .restrictive) {
            guard tuning.mode == .restrictive || node.mode == .restrictive else { continue }
            throw VirtError.malformed(
                tuning.mode == .restrictive
                    ? "'restrictive' mode is required in memnode element when mode is 'restrictive' in memory element"
                    : "'restrictive' mode is not allowed in memnode element unless mode is 'restrictive' in "
                        + "memory element",
                .none)
        }
    }

    /// The sockets, cores and threads are as many as the guest may have.
    private func checkTopology() throws {
        guard let shape = domain.cpu?.topology else { return }
        var product: UInt64 = 1
        for factor in [shape.sockets, shape.dies, shape.cores, shape.threads] {
            product = product.multipliedReportingOverflow(by: UInt64(factor)).partialValue
        }
        if product != UInt64(domain.vcpu.maximum) {
            throw VirtError.unsupported("CPU topology doesn't match maximum vcpu count", .qemu)
        }
    }

    func checkThreads() throws {
        try checkTopology()
        if let limit = emulator.machine(machine.machine)?.maximumCPUs, limit > 0, domain.vcpu.maximum > limit {
            throw VirtError.unsupported("Maximum CPUs greater than specified machine type limit \(limit)", .qemu)
        }
        let known = Set(domain.iothreadIDs.map(\.id))
        for id in domain.cpuTuning.iothreadSchedulers.flatMap(\.iothreads.members) where !known.contains(id) {
            throw VirtError.unsupported("Cannot find 'iothread' : \(id)")
        }
        for pin in domain.cpuTuning.iothreadPins where !known.contains(pin.iothread) {
            throw VirtError.malformed("Cannot find iothread id='\(pin.iothread)' from iothreadpin")
        }
        if let threads = domain.cpu?.topology, machine.isPSeries, threads.threads > 1 {
            guard domain.vcpu.maximum % threads.threads == 0 else {
                throw VirtError.unsupported(
                    "vCPUs count must be a multiple of the vCPU hotplug granularity (\(threads.threads))", .qemu)
            }
        }
        if let current = domain.vcpu.current, machine.isPSeries, let threads = domain.cpu?.topology?.threads,
            threads > 1,
            current % threads != 0
        {
            throw VirtError.unsupported(
                "vCPUs count must be a multiple of the vCPU hotplug granularity (\(threads))", .qemu)
        }
        if !domain.cpuTuning.cacheTunes.isEmpty || !domain.cpuTuning.memoryTunes.isEmpty, domain.type != .kvm {
            throw VirtError.unsupported("cachetune is only supported for KVM domains", .qemu)
        }
    }
}
