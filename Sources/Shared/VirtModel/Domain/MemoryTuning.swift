import VirtCore
package import VirtXML

/// Limits of the memory of the guest's process (`<memtune>`), in KiB.
package struct MemoryTuning: Equatable, Sendable, XMLMappable {
    package var hardLimit: UInt64?
    package var softLimit: UInt64?
    package var swapHardLimit: UInt64?
    package var minGuarantee: UInt64?
    /// What libvirt takes for "unlimited".
    package static let unlimited: UInt64 = UInt64(Int64.max) >> 10

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try limit("hard_limit", &hardLimit, &x)
        try limit("soft_limit", &softLimit, &x)
        try limit("min_guarantee", &minGuarantee, &x)
        try limit("swap_hard_limit", &swapHardLimit, &x)
    }

    private func limit<M: ElementMapper>(_ name: StaticString, _ value: inout UInt64?, _ x: inout M) throws {
        try x.sizeElement(name, kibibytes: &value)
        if x.isReading, let read = value, read >= Self.unlimited { value = nil }
    }
}

/// Where the guest's memory comes from (`<memoryBacking>`).
package struct MemoryBacking: Equatable, Sendable, XMLMappable {
    package enum Source: String, XMLEnum { case file, anonymous, memfd }
    package enum Access: String, XMLEnum { case shared, `private` }
    package enum Allocation: String, XMLEnum { case immediate, ondemand }

    /// Huge pages are used; without `pages`, of the default size.
    package var hugepages = false
    package var pages: [HugePage] = []
    package var noSharePages = false
    package var locked = false
    package var source: Source?
    package var access: Access?
    package var allocation: Allocation?
    package var allocationThreads: UInt32?
    package var discard = false

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        if x.isReading || hugepages {
            var found = false
            try x.group("hugepages", always: true) { x in
                found = true
                try x.elements("page", &pages)
            }
            if x.isReading { hugepages = found }
        }
        try x.presence("nosharepages", &noSharePages)
        try x.presence("locked", &locked)
        try x.valueElement("source", "type", &source)
        try x.valueElement("access", "mode", &access)
        try x.group("allocation") { x in
            try x.attribute("mode", &allocation)
            try x.attribute("threads", &allocationThreads)
        }
        try x.presence("discard", &discard)
    }

    /// Pages of one size, for some guest NUMA nodes or the rest.
    package struct HugePage: Equatable, Sendable, XMLMappable {
        /// In KiB.
        package var size: UInt64 = 0
        package var nodeset: BitSet?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            var unit: String? = "KiB"
            try x.required("size", &size)
            try x.attribute("unit", &unit)
            try x.attribute("nodeset", &nodeset)
            if x.isReading {
                size = try ScaledSize.bytes(size, unit: unit, scale: 1024) / 1024
                if size == 0 { throw VirtError(.xmlDetail, .domain, "hugepages size can't be zero") }
            }
        }
    }
}

/// Limits of block I/O (`<blkiotune>`).
package struct BlockIOTuning: Equatable, Sendable, XMLMappable {
    package var weight: UInt32?
    package var devices: [Device] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("weight", &weight)
        try x.elements("device", &devices)
    }

    /// One host device's limits.
    package struct Device: Equatable, Sendable, XMLMappable {
        package var path: String?
        package var weight: UInt32?
        package var readIOPS: UInt32?
        package var writeIOPS: UInt32?
        package var readBytes: UInt64?
        package var writeBytes: UInt64?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.textElement("path", &path)
            try x.textElement("weight", &weight)
            try x.textElement("read_iops_sec", &readIOPS)
            try x.textElement("write_iops_sec", &writeIOPS)
            try x.textElement("read_bytes_sec", &readBytes)
            try x.textElement("write_bytes_sec", &writeBytes)
            if x.isReading, path == nil {
                throw VirtError(.xmlError, .domain, "missing per-device path")
            }
        }
    }
}

extension MemoryBacking {
    func validate(_ context: DomainValidation) throws(VirtError) {
        let nodes = UInt32(clamping: max(context.domain.cpu?.numa?.cells.count ?? 0, 1))
        var general: UInt64?
        for page in pages {
            guard let set = page.nodeset else {
                if let general {
                    throw VirtError(
                        .xmlDetail, .domain, "two master hugepages detected: \(general) and \(page.size)")
                }
                general = page.size
                continue
            }
            if let missing = set.members.first(where: { $0 >= nodes }) {
                throw VirtError(.xmlDetail, .qemu, "hugepages: node \(missing) not found")
            }
        }
        if hugepages, source == .anonymous {
            throw VirtError.unsupported("hugepages are not allowed with anonymous memory source", .domain)
        }
    }
}
