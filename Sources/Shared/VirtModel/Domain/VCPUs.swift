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
        try x.text(&maximum)
        if x.isReading {
            if cpuset?.isEmpty == true { cpuset = nil }
            if current == maximum { current = nil }
        }
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
