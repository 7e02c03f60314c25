import VirtCore
package import VirtXML

/// A share of the host's caches for some CPUs (`<cachetune>`).
package struct CacheTune: Equatable, Sendable, XMLMappable {
    package enum CacheType: String, XMLEnum { case both, code, data }

    package struct Cache: Equatable, Sendable, XMLMappable {
        package var id: UInt32 = 0
        package var level: UInt32 = 0
        package var type = CacheType.both
        /// In KiB.
        package var size: UInt64 = 0

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("id", &id)
            try x.required("level", &level)
            try x.required("type", &type)
            try x.required("size", &size)
            var unit: String? = "KiB"
            try x.attribute("unit", &unit)
            if x.isReading { size = try ScaledSize.bytes(size, unit: unit, scale: 1024) / 1024 }
        }
    }

    package struct Monitor: Equatable, Sendable, XMLMappable {
        package var level: UInt32?
        package var vcpus = BitSet()

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("level", &level)
            try x.required("vcpus", &vcpus)
        }
    }

    package var vcpus = BitSet()
    package var id: String?
    package var caches: [Cache] = []
    package var monitors: [Monitor] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("vcpus", &vcpus)
        if !x.flags.contains(.inactive) { try x.attribute("id", &id) }
        try x.elements("cache", &caches)
        try x.elements("monitor", &monitors)
        if x.isReading { try check() }
    }

    private func check() throws {
        for (index, cache) in caches.enumerated() {
            let clash = caches[..<index].contains {
                $0.level == cache.level && $0.id == cache.id
                    && ($0.type == cache.type || $0.type == .both || cache.type == .both)
            }
            guard clash else { continue }
            throw VirtError.malformed(
                "Colliding cache allocations for cache level '\(cache.level)' id '\(cache.id)', type "
                    + "'\(cache.type.rawValue)'",
                .none)
        }
    }
}

/// A share of the host's memory bandwidth for some CPUs (`<memorytune>`).
package struct MemoryTune: Equatable, Sendable, XMLMappable {
    package struct Node: Equatable, Sendable, XMLMappable {
        package var id: UInt32 = 0
        package var bandwidth: UInt32 = 0

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("id", &id)
            try x.required("bandwidth", &bandwidth)
        }
    }

    package var vcpus = BitSet()
    package var id: String?
    package var nodes: [Node] = []
    package var monitors: [CacheTune.Monitor] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("vcpus", &vcpus)
        if !x.flags.contains(.inactive) { try x.attribute("id", &id) }
        try x.elements("node", &nodes)
        try x.elements("monitor", &monitors)
        guard x.isReading else { return }
        var seen: Set<UInt32> = []
        for node in nodes where !seen.insert(node.id).inserted {
            throw VirtError.malformed("Memory Bandwidth already defined for node \(node.id)", .none)
        }
    }
}

/// How the guest's memory is kept from the host (`<launchSecurity>`).
package struct LaunchSecurity: Equatable, Sendable, XMLMappable {
    package enum Kind: String, XMLEnum {
        case sev
        case s390PV = "s390-pv"
    }

    package var type = Kind.sev
    package var kernelHashes: Bool?
    package var cbitPosition: UInt32?
    package var reducedPhysicalBits: UInt32?
    package var policy: UInt32?
    package var certificate: String?
    package var session: String?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &type)
        guard type == .sev else { return }
        try x.attribute("kernelHashes", &kernelHashes)
        try x.textElement("cbitpos", &cbitPosition)
        try x.textElement("reducedPhysBits", &reducedPhysicalBits)
        try x.textElement("policy", &policy, .hex(4))
        try x.textElement("dhCert", &certificate)
        try x.textElement("session", &session)
    }
}

extension LaunchSecurity {
    func validate(_ context: DomainValidation) throws(VirtError) {
        let (flag, name) = type == .sev ? ("sev-guest", "SEV") : ("s390-pv-guest", "S390 PV")
        guard !context.emulator.has(flag) else { return }
        throw VirtError.unsupported("\(name) launch security is not supported with this QEMU binary", .qemu)
    }
}
