package import VirtXML

extension HostCapabilities {
    /// A NUMA node of the host.
    package struct Cell: Equatable, Sendable, XMLMappable {
        package var id: UInt32 = 0
        /// In KiB.
        package var memory: UInt64?
        package var pages: [HostCPU.Pages] = []
        package var distances: [CPU.NUMA.Distance] = []
        package var cpus: [Processor] = []

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("id", &id)
            try x.sizeElement("memory", kibibytes: &memory)
            try x.elements("pages", &pages)
            try x.group("distances") { try $0.elements("sibling", &distances) }
            try x.group("cpus", always: true) { x in
                var count = cpus.count
                try x.attribute("num", &count)
                try x.elements("cpu", &cpus)
            }
        }
    }

    /// A logical processor and its place.
    package struct Processor: Equatable, Sendable, XMLMappable {
        package var id: UInt32 = 0
        package var socket: UInt32?
        package var die: UInt32?
        package var core: UInt32?
        package var siblings: BitSet?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("id", &id)
            try x.attribute("socket_id", &socket)
            try x.attribute("die_id", &die)
            try x.attribute("core_id", &core)
            try x.attribute("siblings", &siblings)
        }
    }

    /// A cache that processors share.
    package struct CacheBank: Equatable, Sendable, XMLMappable {
        package var id: UInt32 = 0
        package var level: UInt32 = 3
        package var type = "both"
        package var size: UInt64 = 0
        package var unit = "KiB"
        package var cpus = BitSet()

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("id", &id)
            try x.required("level", &level)
            try x.required("type", &type)
            try x.required("size", &size)
            try x.required("unit", &unit)
            try x.required("cpus", &cpus)
        }
    }
}
