import VirtCore
package import VirtXML

extension CPU {
    /// The guest's NUMA nodes (`<numa>`).
    package struct NUMA: Equatable, Sendable, XMLMappable {
        package var cells: [Cell] = []
        package var interconnects: Interconnects?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.elements("cell", &cells)
            try x.element("interconnects", &interconnects)
            if x.isReading { try order() }
        }

        /// Cells may come in any order, and without numbers.
        private mutating func order() throws(VirtError) {
            defer { completeDistances() }
            try checkDistances()
            if cells.isEmpty { throw VirtError.malformed("NUMA topology defined without NUMA cells", .none) }
            var seen: Set<UInt32> = []
            for id in cells.compactMap(\.id) where !seen.insert(id).inserted {
                throw VirtError.malformed("Duplicate NUMA cell info for cell id '\(id)'", .none)
            }
            let numbered = cells.filter { $0.id != nil }.count
            if numbered == 0 {
                for index in cells.indices { cells[index].id = UInt32(truncatingIfNeeded: index) }
                return
            }
            cells.sort { ($0.id ?? 0) < ($1.id ?? 0) }
            for (index, cell) in cells.enumerated() where cell.id != UInt32(truncatingIfNeeded: index) {
                throw VirtError.malformed(
                    "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges or ranges "
                        + "not starting from 0 are not allowed",
                    .none)
            }
        }

        /// A node is at distance 10 from itself, and further from each other.
        private func checkDistances() throws(VirtError) {
            for cell in cells {
                guard let own = cell.id else { continue }
                for distance in cell.distances where (distance.id == own) != (distance.value == 10) {
                    throw VirtError.malformed(
                        "'value \(distance.value)' is invalid for 'sibling id \(distance.id)' under NUMA 'cell id "
                            + "\(own)'", .none)
                }
            }
        }

        /// The way back is as long as the way there, unless it is said; a node is at distance 10 from itself.
        private mutating func completeDistances() {
            guard cells.contains(where: { !$0.distances.isEmpty }), cells.count <= 1024 else { return }
            var known: [[UInt32: UInt32]] = cells.map { _ in [:] }
            for (index, cell) in cells.enumerated() {
                let own = UInt32(truncatingIfNeeded: index)
                for distance in cell.distances where Int(distance.id) < cells.count {
                    known[index][distance.id] = distance.value
                    let other = Int(distance.id)
                    if known[other][own] == nil { known[other][own] = distance.value }
                    if known[index][own] == nil { known[index][own] = 10 }
                    if known[other][distance.id] == nil { known[other][distance.id] = 10 }
                }
            }
            for index in cells.indices {
                cells[index].distances = known[index].sorted { $0.key < $1.key }.map { Distance($0.key, $0.value) }
            }
        }

        package struct Cell: Equatable, Sendable, XMLMappable {
            package var id: UInt32?
            package var cpus: BitSet?
            /// In KiB.
            package var memory: UInt64 = 0
            package var access: MemoryBacking.Access?
            package var discard: Bool?
            package var distances: [Distance] = []
            package var caches: [NUMACache] = []

            package init() {}

            package mutating func map<M: ElementMapper>(_ x: inout M) throws {
                try x.attribute("id", &id)
                try x.attribute("cpus", &cpus)
                try mapMemory(&x)
                var unit: String? = "KiB"
                try x.attribute("unit", &unit)
                try x.attribute("memAccess", &access)
                try x.attribute("discard", &discard)
                try x.group("distances") { try $0.elements("sibling", &distances) }
                try x.elements("cache", &caches)
                guard x.isReading else { return }
                let bytes = try ScaledSize.bytes(memory, unit: unit, scale: 1024)
                memory = bytes / 1024 + (bytes % 1024 == 0 ? 0 : 1)
            }

            private mutating func mapMemory<M: ElementMapper>(_ x: inout M) throws {
                if x.isReading {
                    guard let text = x.node?.attribute("memory") else {
                        throw VirtError.malformed("missing element or attribute './@memory'", .none)
                    }
                    let number: UInt64? = IntegerText.parse(text)
                    if number == nil {
                        throw VirtError.malformed(
                            "Invalid value '\(text)' for element or attribute './@memory'", .none)
                    }
                }
                try x.required("memory", &memory)
            }
        }

        package struct Distance: Equatable, Sendable, XMLMappable {
            package var id: UInt32 = 0
            package var value: UInt32 = 0

            package init() {}
            package init(_ id: UInt32, _ value: UInt32) {
                self.id = id
                self.value = value
            }

            package mutating func map<M: ElementMapper>(_ x: inout M) throws {
                try x.required("id", &id)
                try x.required("value", &value)
            }
        }

        package struct NUMACache: Equatable, Sendable, XMLMappable {
            package enum Associativity: String, XMLEnum { case none, direct, full }
            package enum Policy: String, XMLEnum { case none, writeback, writethrough }
            package var level: UInt32 = 0
            package var associativity = Associativity.none
            package var policy = Policy.none
            /// In KiB.
            package var size: UInt64 = 0
            package var line: UInt64 = 0

            package init() {}

            package mutating func map<M: ElementMapper>(_ x: inout M) throws {
                try x.required("level", &level)
                try x.required("associativity", &associativity, invalid: .malformed("Invalid cache associativity"))
                try x.required("policy", &policy, invalid: .malformed("Invalid cache policy"))
                try x.group("size") { try Self.scaled("KiB", 1024, &size, &$0) }
                try x.group("line") { try Self.scaled("B", 1, &line, &$0) }
            }

            static func scaled<M: ElementMapper>(
                _ printed: String, _ scale: UInt64, _ value: inout UInt64, _ x: inout M
            ) throws {
                var unit: String? = printed
                try x.required("value", &value)
                try x.attribute("unit", &unit)
                if x.isReading { value = try ScaledSize.bytes(value, unit: unit, scale: scale) / scale }
            }
        }

        package struct Interconnects: Equatable, Sendable, XMLMappable {
            package var latencies: [Latency] = []
            package var bandwidths: [Bandwidth] = []

            package init() {}

            package mutating func map<M: ElementMapper>(_ x: inout M) throws {
                try x.elements("latency", &latencies)
                try x.elements("bandwidth", &bandwidths)
            }

            package enum Kind: String, XMLEnum { case access, read, write }

            package struct Latency: Equatable, Sendable, XMLMappable {
                package var initiator: UInt32 = 0
                package var target: UInt32 = 0
                package var cache: UInt32?
                package var type = Kind.access
                package var value: UInt64 = 0

                package init() {}

                package mutating func map<M: ElementMapper>(_ x: inout M) throws {
                    try x.required("initiator", &initiator)
                    try x.required("target", &target)
                    try x.attribute("cache", &cache)
                    try x.required("type", &type)
                    try x.required("value", &value)
                }
            }

            package struct Bandwidth: Equatable, Sendable, XMLMappable {
                package var initiator: UInt32 = 0
                package var target: UInt32 = 0
                package var cache: UInt32?
                package var type = Kind.access
                package var value: UInt64 = 0

                package init() {}

                package mutating func map<M: ElementMapper>(_ x: inout M) throws {
                    try x.required("initiator", &initiator)
                    try x.required("target", &target)
                    try x.attribute("cache", &cache)
                    try x.required("type", &type)
                    try NUMACache.scaled("KiB", 1024, &value, &x)
                }
            }
        }
    }
}

extension CPU.NUMA {
    /// CPUs that belong to no node go to the first one.
    mutating func complete(maximum: UInt32) {
        guard !cells.isEmpty else { return }
        var assigned: Set<UInt32> = []
        for cell in cells { assigned.formUnion(cell.cpus?.members ?? []) }
        guard maximum <= 16384, assigned.count < Int(maximum) else { return }
        let missing = (0..<maximum).filter { !assigned.contains($0) }
        cells[0].cpus = BitSet((cells[0].cpus?.members ?? []) + missing)
    }
}
