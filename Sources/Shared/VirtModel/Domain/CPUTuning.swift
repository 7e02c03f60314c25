import VirtCore
package import VirtXML

/// Shares, quotas and pinning of the guest's threads (`<cputune>`).
package struct CPUTuning: Equatable, Sendable, XMLMappable {
    package enum Scheduler: String, XMLEnum { case other, batch, idle, fifo, rr }

    package var shares: UInt64?
    package var period: UInt64?
    package var quota: Int64?
    package var globalPeriod: UInt64?
    package var globalQuota: Int64?
    package var emulatorPeriod: UInt64?
    package var emulatorQuota: Int64?
    package var iothreadPeriod: UInt64?
    package var iothreadQuota: Int64?
    package var vcpuPins: [VCPUPin] = []
    package var emulatorPin: BitSet?
    package var iothreadPins: [IOThreadPin] = []
    package var emulatorScheduler: EmulatorScheduler?
    package var vcpuSchedulers: [VCPUScheduler] = []
    package var iothreadSchedulers: [IOThreadScheduler] = []
    package var cacheTunes: [CacheTune] = []
    package var memoryTunes: [MemoryTune] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("shares", &shares)
        try x.textElement("period", &period)
        try x.textElement("quota", &quota)
        try x.textElement("global_period", &globalPeriod)
        try x.textElement("global_quota", &globalQuota)
        try x.textElement("emulator_period", &emulatorPeriod)
        try x.textElement("emulator_quota", &emulatorQuota)
        try x.textElement("iothread_period", &iothreadPeriod)
        try x.textElement("iothread_quota", &iothreadQuota)
        try x.elements("vcpupin", &vcpuPins)
        try x.valueElement("emulatorpin", "cpuset", &emulatorPin)
        try x.elements("iothreadpin", &iothreadPins)
        try x.element("emulatorsched", &emulatorScheduler)
        try x.elements("vcpusched", &vcpuSchedulers)
        try x.elements("iothreadsched", &iothreadSchedulers)
        try x.elements("cachetune", &cacheTunes)
        try x.elements("memorytune", &memoryTunes)
        if x.isReading { try tidy() }
    }

    /// libvirt keeps pins and schedulers per thread, in the threads' order, and prints them one by one.
    private mutating func tidy() throws {
        try checkGroups()
        vcpuPins.sort { $0.vcpu < $1.vcpu }
        iothreadPins.sort { $0.iothread < $1.iothread }
        for (one, next) in zip(vcpuPins, vcpuPins.dropFirst()) where one.vcpu == next.vcpu {
            throw VirtError(.internalError, .domain, "duplicate vcpupin for vcpu '\(one.vcpu)'")
        }
        for (one, next) in zip(iothreadPins, iothreadPins.dropFirst()) where one.iothread == next.iothread {
            throw VirtError(.internalError, .domain, "duplicate iothreadpin for same iothread '\(one.iothread)'")
        }
        vcpuSchedulers = vcpuSchedulers.flatMap { $0.split() }.sorted { $0.first < $1.first }
        for (one, next) in zip(vcpuSchedulers, vcpuSchedulers.dropFirst()) where one.first == next.first {
            throw VirtError(.xmlDetail, .domain, "'vcpusched' attributes 'vcpus' must not overlap")
        }
        iothreadSchedulers = iothreadSchedulers.flatMap { $0.split() }.sorted { $0.first < $1.first }
    }

    /// The CPUs of two groups are the same or others altogether.
    private func checkGroups() throws {
        for tune in cacheTunes {
            for monitor in tune.monitors where !monitor.vcpus.members.allSatisfy(tune.vcpus.contains) {
                throw VirtError(.invalidArg, .domain, "Monitor vcpus conflicts with allocation")
            }
        }
        if Set(cacheTunes.map(\.vcpus)).count < cacheTunes.count {
            throw VirtError.malformed("Identical vcpus in cachetunes found")
        }
        let groups = cacheTunes.map(\.vcpus) + memoryTunes.map(\.vcpus)
        for (index, group) in groups.enumerated() {
            let isPartial = groups[..<index].contains { other in
                other != group && other.members.contains { group.contains($0) }
            }
            if isPartial { throw VirtError.malformed("Overlapping vcpus in resctrls", .none) }
        }
    }

    package struct VCPUPin: Equatable, Sendable, XMLMappable {
        package var vcpu: UInt32 = 0
        package var cpuset = BitSet()

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("vcpu", &vcpu)
            try x.required("cpuset", &cpuset)
        }
    }

    package struct IOThreadPin: Equatable, Sendable, XMLMappable {
        package var iothread: UInt32 = 0
        package var cpuset = BitSet()

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("iothread", &iothread)
            try x.required("cpuset", &cpuset)
        }
    }

    package struct EmulatorScheduler: Equatable, Sendable, XMLMappable {
        package var scheduler = Scheduler.other
        package var priority: Int32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("scheduler", &scheduler)
            try scheduler.mapPriority(&priority, &x)
        }
    }

    package struct VCPUScheduler: Equatable, Sendable, XMLMappable {
        package var vcpus = BitSet()
        package var scheduler = Scheduler.other
        package var priority: Int32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("vcpus", &vcpus)
            try x.required("scheduler", &scheduler)
            try scheduler.mapPriority(&priority, &x)
        }

        var first: UInt32 { vcpus.members.first ?? 0 }

        func split() -> [VCPUScheduler] {
            vcpus.members.map { member in
                var one = self
                one.vcpus = BitSet([member])
                return one
            }
        }
    }

    package struct IOThreadScheduler: Equatable, Sendable, XMLMappable {
        package var iothreads = BitSet()
        package var scheduler = Scheduler.other
        package var priority: Int32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("iothreads", &iothreads)
            try x.required("scheduler", &scheduler)
            try scheduler.mapPriority(&priority, &x)
        }

        var first: UInt32 { iothreads.members.first ?? 0 }

        func split() -> [IOThreadScheduler] {
            iothreads.members.map { member in
                var one = self
                one.iothreads = BitSet([member])
                return one
            }
        }
    }
}

/// Which host nodes the guest's memory is taken from (`<numatune>`).
package struct NUMATuning: Equatable, Sendable, XMLMappable {
    package enum Mode: String, XMLEnum { case strict, preferred, interleave, restrictive }
    package enum Placement: String, XMLEnum { case `static`, auto }

    package var mode: Mode?
    package var placement: Placement?
    package var nodeset: BitSet?
    package var nodes: [Node] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.group("memory") { x in
            try x.attribute("mode", &mode)
            let invalid = InvalidValue(.configUnsupported, "Invalid value of 'nodeset':", domain: .none, quoted: false)
            try x.attribute("nodeset", &nodeset, invalid: invalid)
            if x.isReading, nodeset?.isEmpty == true {
                throw VirtError.unsupported("Invalid value of 'nodeset': \(x.node?.attribute("nodeset") ?? "")", .none)
            }
            try x.attribute("placement", &placement)
            if x.isReading { fillIn() }
        }
        try x.elements("memnode", &nodes)
        if x.isReading { nodes.sort { $0.cell < $1.cell } }
    }

    private mutating func fillIn() {
        if mode == nil { mode = .strict }
        if placement == nil, nodeset == nil { placement = .auto }
        if placement == .static, nodeset != nil { placement = nil }
        if placement == .auto { nodeset = nil }
    }

    package struct Node: Equatable, Sendable, XMLMappable {
        package var cell: UInt32 = 0
        package var mode = Mode.strict
        package var nodeset = BitSet()

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("cellid", &cell)
            try x.attribute("mode", &mode)
            try x.required("nodeset", &nodeset)
        }
    }
}

extension CPUTuning {
    func validate(_ context: DomainValidation) throws(VirtError) {
        let known = Set(context.domain.iothreadIDs.map(\.id))
        for scheduler in iothreadSchedulers {
            for id in scheduler.iothreads.members where !known.contains(id) {
                throw VirtError.unsupported("Cannot find 'iothread' : \(id)")
            }
        }
        for pin in iothreadPins where !known.contains(pin.iothread) {
            throw VirtError.malformed("Cannot find iothread id='\(pin.iothread)' from iothreadpin")
        }
        if !cacheTunes.isEmpty || !memoryTunes.isEmpty, context.domain.type != .kvm {
            throw VirtError.unsupported("cachetune is only supported for KVM domains", .qemu)
        }
    }
}

extension NUMATuning {
    func validate() throws(VirtError) {
        if placement == .static, nodeset == nil {
            throw VirtError.unsupported("nodeset for NUMA memory tuning must be set if 'placement' is 'static'")
        }
        if placement == .auto, !nodes.isEmpty {
            throw VirtError.unsupported("Per-node binding is not compatible with automatic NUMA placement.")
        }
        for node in nodes where (node.mode == .restrictive) != (mode == .restrictive) {
            throw VirtError.malformed(
                mode == .restrictive
                    ? "'restrictive' mode is required in memnode element when mode is 'restrictive' in memory element"
                    : "'restrictive' mode is not allowed in memnode element unless mode is 'restrictive' in "
                        + "memory element",
                .none)
        }
    }
}

extension CPUTuning.Scheduler {
    /// Only the schedulers of real time have priorities, and need one.
    fileprivate func mapPriority<M: ElementMapper>(_ priority: inout Int32?, _ x: inout M) throws(VirtError) {
        guard self == .fifo || self == .rr else { return }
        var value = priority ?? 0
        try x.required("priority", &value)
        priority = value
    }
}
