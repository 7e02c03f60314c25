import VirtCore
import VirtXML

extension Domain {
    /// Name, UUID, and what libvirt fills in while it reads.
    mutating func completeIdentity() throws {
        guard !name.isEmpty else { throw VirtError(.noName, .domain) }
        if name.contains("/") { throw VirtError.malformed("name \(name) cannot contain '/'") }
        if uuid == nil { uuid = .random() }
        if genid != nil, genid?.id == nil { genid?.id = UUID.random().description }
        guard os.type != nil else { throw VirtError.malformed("an os <type> must be specified") }
        if onPoweroff == nil { onPoweroff = .destroy }
        if onReboot == nil { onReboot = .restart }
        if onCrash == nil { onCrash = .destroy }
        if !numaTuning.nodes.isEmpty, cpu?.numa?.cells.isEmpty ?? true {
            throw VirtError.malformed("Element 'memnode' is invalid without any guest NUMA cells", .none)
        }
        completePlacement()
        try completeIOThreads()
    }

    /// CPUs follow memory in where they are placed, and the other way round.
    private mutating func completePlacement() {
        let isPinned =
            vcpu.cpuset != nil || !cpuTuning.vcpuPins.isEmpty || cpuTuning.emulatorPin != nil
            || !cpuTuning.iothreadPins.isEmpty
        if vcpu.placement == nil { vcpu.placement = .static }
        if numaTuning.placement == .auto, !isPinned { vcpu.placement = .auto }
        if vcpu.placement == .auto {
            vcpu.cpuset = nil
            if numaTuning.mode == nil {
                numaTuning.mode = .strict
                numaTuning.placement = .auto
            }
        }
        if numaTuning.mode != nil, numaTuning.placement == nil, numaTuning.nodeset != nil { numaTuning.placement = nil }
    }

    /// The threads are numbered from 1 where the user did not.
    private mutating func completeIOThreads() throws {
        guard iothreads != nil || !iothreadIDs.isEmpty else { return }
        var used = Set(iothreadIDs.map(\.id))
        let wanted = max(iothreads ?? 0, UInt32(clamping: iothreadIDs.count))
        guard wanted <= 65536 else { throw VirtError.malformed("invalid iothreads count '\(wanted)'") }
        var next: UInt32 = 1
        while UInt32(clamping: iothreadIDs.count) < wanted {
            while used.contains(next) { next += 1 }
            used.insert(next)
            iothreadIDs.append(IOThread(id: next, isExplicit: false))
        }
        iothreads = wanted
    }

    /// The emulator that the architecture has by default.
    mutating func completeEmulator(_ context: DomainCompletionContext) throws {
        if os.arch == nil { os.arch = context.hostArch }
        guard devices.emulator == nil else { return }
        guard let emulator = context.emulator(of: self) else {
            throw VirtError.unsupported("No emulator found for arch '\(os.arch ?? "")'", .qemu)
        }
        devices.emulator = emulator.path
    }

    /// The sum of the nodes' and modules' memory, where it says more than the element.
    mutating func completeMemory(isNew: Bool) throws {
        let nodes = cpu?.numa?.cells ?? []
        var nodeSum: UInt64 = 0
        if isNew || (memory.size ?? 0) == 0 {
            for cell in nodes { nodeSum = try sum(nodeSum, cell.memory) }
        }
        var modules: UInt64 = 0
        for module in devices.memories { modules = try sum(modules, module.target.size ?? 0) }
        if nodeSum > 0 {
            memory.size = try sum(nodeSum, modules)
        } else if modules > memory.size ?? 0 {
            throw VirtError.malformed("Total size of memory devices exceeds the total memory size")
        }
        if nodes.isEmpty {
            // Without nodes, "node 0" is all there is.
            for index in memoryBacking.pages.indices where memoryBacking.pages[index].nodeset?.members == [0] {
                memoryBacking.pages[index].nodeset = nil
            }
        }
        let total = memory.size ?? 0
        if total == modules {
            throw VirtError.malformed("Memory size must be specified via <memory> or in the <numa> configuration")
        }
        if currentMemory == nil || currentMemory == 0 || currentMemory ?? 0 > total { currentMemory = total }
        try checkMaximumMemory(total)
    }

    private func sum(_ one: UInt64, _ other: UInt64) throws(VirtError) -> UInt64 {
        let result = one.addingReportingOverflow(other)
        guard !result.overflow else { throw VirtError(.overflow, .domain, "memory size is too large") }
        return result.partialValue
    }

    private func checkMaximumMemory(_ total: UInt64) throws(VirtError) {
        guard let maximumMemory else { return }
        guard let size = maximumMemory.size, size > 0, let slots = maximumMemory.slots, slots > 0 else {
            throw VirtError.malformed("both maximum memory size and memory slot count must be specified")
        }
        if size < total {
            throw VirtError.malformed("maximum memory size must be equal or greater than the actual memory size")
        }
    }

    /// Either the devices are ordered or the kinds of devices are; by default the disk is first.
    mutating func completeBootOrder() throws {
        var orders: Set<UInt32> = []
        var duplicate: UInt32?
        eachInfo { info in
            guard let order = info.boot?.order else { return }
            if !orders.insert(order).inserted, duplicate == nil { duplicate = order }
        }
        if let duplicate {
            throw VirtError.unsupported("boot order '\(duplicate)' used for more than one device")
        }
        if !os.bootDevices.isEmpty, !orders.isEmpty {
            throw VirtError.unsupported("per-device boot elements cannot be used together with os/boot elements")
        }
        if os.bootDevices.isEmpty, orders.isEmpty { os.bootDevices = [.hd] }
    }
}
