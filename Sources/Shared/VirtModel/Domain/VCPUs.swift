import VirtCore
package import VirtXML

/// How many CPUs the guest has and may get (`<vcpu>`).
package struct VCPUs: Equatable, Sendable, XMLMappable {
    package enum Placement: String, XMLEnum { case `static`, auto }

    package var placement: Placement?
    package var cpuset: BitSet?
    /// The CPUs at start, if less than `maximum`.
    package var current: UInt32?
    package var maximum: UInt32 = 1

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("placement", &placement)
        try x.attribute("cpuset", &cpuset)
        try x.attribute("current", &current)
        try mapMaximum(&x)
        if x.isReading {
            if let current, current > maximum {
                throw VirtError.unsupported("maximum vCPU count must not be less than current vCPU count")
            }
            if cpuset?.isEmpty == true { cpuset = nil }
            if current == maximum { current = nil }
        }
    }

    private mutating func mapMaximum<M: ElementMapper>(_ x: inout M) throws {
        var text: String? = x.isReading ? nil : String(maximum)
        try x.text(&text)
        guard x.isReading, x.node?.name == "vcpu" else { return }
        guard let number: UInt32 = IntegerText.parse(text ?? "") else {
            throw VirtError.malformed("maximum vcpus count must be an integer")
        }
        maximum = number
    }

    /// One CPU's state (`<vcpus><vcpu/></vcpus>`).
    package struct State: Equatable, Sendable, XMLMappable {
        package var id: UInt32 = 0
        package var enabled = true
        package var hotpluggable: Bool?
        package var order: UInt32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("id", &id)
            try x.required("enabled", &enabled)
            try x.attribute("hotpluggable", &hotpluggable)
            try x.attribute("order", &order)
        }
    }
}

/// QEMU's main loop, which serves what has no thread of its own (`<defaultiothread>`).
package struct DefaultIOThread: Equatable, Sendable, XMLMappable {
    package var poolMinimum: Int32?
    package var poolMaximum: Int32?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("thread_pool_min", &poolMinimum)
        try x.attribute("thread_pool_max", &poolMaximum)
    }
}

/// One I/O thread (`<iothreadids>`).
package struct IOThread: Equatable, Sendable, XMLMappable {
    package var id: UInt32 = 0
    package var poolMinimum: Int32?
    package var poolMaximum: Int32?
    /// The user asked for this very number; others are only counted.
    package var isExplicit = true

    package init() {}
    package init(id: UInt32, isExplicit: Bool) {
        self.id = id
        self.isExplicit = isExplicit
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("id", &id)
        try x.attribute("thread_pool_min", &poolMinimum)
        try x.attribute("thread_pool_max", &poolMaximum)
    }
}

extension VCPUs.State {
    /// Whether the CPU may come and go, where that is not said.
    mutating func complete() throws(VirtError) {
        if hotpluggable == nil { hotpluggable = !enabled }
        if hotpluggable == false, !enabled {
            throw VirtError.unsupported("vcpu '\(id)' is both offline and not hotpluggable")
        }
    }

    /// Refuses states without a first CPU that is there from the start, and orders that leave out some.
    static func check(_ all: [VCPUs.State]) throws(VirtError) {
        guard let first = all.first(where: { $0.id == 0 }) else { return }
        if !first.enabled { throw VirtError.unsupported("vcpu 0 can't be offline", .qemu) }
        if first.hotpluggable == true { throw VirtError.unsupported("vcpu0 can't be hotpluggable", .qemu) }
        if let order = first.order, order != 1 { throw VirtError.unsupported("vcpu0 must be enabled first", .qemu) }
        for state in all where state.enabled && (state.order != nil) != (first.order != nil) {
            throw VirtError.unsupported("all vcpus must have either set or unset order", .qemu)
        }
    }
}

extension VCPUs {
    func validate(_ context: DomainValidation) throws(VirtError) {
        let topology = context.domain.cpu?.topology
        if let topology, topology.product != UInt64(maximum) {
            throw VirtError.unsupported("CPU topology doesn't match maximum vcpu count", .qemu)
        }
        let limit = context.emulator.machine(context.machine.machine)?.maximumCPUs ?? 0
        if limit > 0, maximum > limit {
            throw VirtError.unsupported("Maximum CPUs greater than specified machine type limit \(limit)", .qemu)
        }
        guard context.machine.isPSeries, let threads = topology?.threads, threads > 1 else { return }
        if maximum % threads != 0 || (current ?? 0) % threads != 0 {
            throw VirtError.unsupported(
                "vCPUs count must be a multiple of the vCPU hotplug granularity (\(threads))", .qemu)
        }
    }
}

extension CPU.Topology {
    /// How many CPUs there are in all.
    fileprivate var product: UInt64 {
        [sockets, dies, cores, threads].reduce(1) { $0.multipliedReportingOverflow(by: UInt64($1)).partialValue }
    }
}
