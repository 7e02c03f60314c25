import VirtCore
package import VirtXML

/// The guest's CPU (`<cpu>`).
package struct CPU: Equatable, Sendable, XMLMappable {
    package enum Mode: String, XMLEnum {
        case custom
        case hostModel = "host-model"
        case hostPassthrough = "host-passthrough"
        case maximum
    }
    package enum Match: String, XMLEnum { case minimum, exact, strict }
    package enum Check: String, XMLEnum { case none, partial, full }

    package var mode: Mode?
    package var match: Match?
    package var check: Check?
    package var migratable: Bool?
    package var arch: String?
    package var model: Model?
    package var vendor: String?
    package var topology: Topology?
    package var cache: Cache?
    package var physicalAddress: PhysicalAddress?
    package var features: [Feature] = []
    package var numa: NUMA?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        // A processor of which only the shape is said has no mode.
        if x.isReading || mode != .custom || model != nil {
            try x.attribute("mode", &mode, invalid: .unsupported("Invalid mode attribute", domain: .cpu))
            try x.attribute("match", &match)
            try x.attribute("check", &check)
        }
        if x.isReading, x.node?.attribute("migratable") != nil, mode != .hostPassthrough, mode != .maximum {
            throw VirtError.unsupported(
                "Attribute migratable is only allowed for 'host-passthrough' / 'maximum' CPU mode", .cpu)
        }
        try x.attribute("migratable", &migratable, .onOff)
        try x.textElement("arch", &arch)
        try x.element("model", &model)
        try x.textElement("vendor", &vendor)
        try x.element("topology", &topology)
        try x.element("cache", &cache)
        try x.element("maxphysaddr", &physicalAddress)
        try x.elements("feature", &features)
        try x.element("numa", &numa)
        if x.isReading { try check(x.flags) }
    }

    private mutating func check(_ flags: MappingFlags) throws(VirtError) {
        if mode == nil { mode = .custom }
        if mode == .custom {
            // A model without a name is none.
            if model?.name == nil { model = nil }
            if match == nil, model != nil { match = .exact }
            if model == nil, vendor != nil {
                throw VirtError(.xmlError, .cpu, "CPU vendor specified without CPU model")
            }
            if model == nil, !features.isEmpty {
                throw VirtError(.xmlError, .cpu, "Non-empty feature list specified without CPU model")
            }
        }
        if mode != .custom { match = nil }
        var names: Set<String> = []
        for feature in features where !names.insert(feature.name).inserted {
            throw VirtError(.xmlError, .cpu, "CPU feature '\(feature.name)' specified more than once")
        }
    }

    /// The CPU model's name.
    package struct Model: Equatable, Sendable, XMLMappable {
        package enum Fallback: String, XMLEnum { case allow, forbid }
        package var fallback: Fallback?
        package var vendorID: String?
        package var name: String?

        package init() {}
        package init(name: String, fallback: Fallback) {
            self.name = name
            self.fallback = fallback
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try mapFallback(&x)
            try x.attribute("vendor_id", &vendorID)
            try x.text(&name)
            if x.isReading, let vendorID, vendorID.utf8.count != 12 {
                throw VirtError(
                    .xmlError, .cpu, "vendor_id must be exactly 12 characters long")
            }
        }

        /// An empty word counts as none.
        private mutating func mapFallback<M: ElementMapper>(_ x: inout M) throws {
            if x.isReading, let word = x.node?.attribute("fallback") {
                if word.isEmpty { return }
                if Fallback(rawValue: word) == nil { throw VirtError.unsupported("Invalid fallback attribute", .cpu) }
            }
            try x.attribute("fallback", &fallback)
        }
    }

    package struct Topology: Equatable, Sendable, XMLMappable {
        package var sockets: UInt32 = 1
        package var dies: UInt32 = 1
        package var cores: UInt32 = 1
        package var threads: UInt32 = 1

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("sockets", &sockets)
            try x.attribute("dies", &dies)
            try x.required("cores", &cores)
            try x.required("threads", &threads)
            for (name, value) in [("sockets", sockets), ("dies", dies), ("cores", cores), ("threads", threads)]
            where x.isReading && value == 0 {
                throw VirtError.malformed(
                    "Invalid value for attribute '\(name)' in element 'topology': Zero is not permitted", .xml)
            }
        }
    }

    package struct Cache: Equatable, Sendable, XMLMappable {
        package enum Mode: String, XMLEnum { case emulate, passthrough, disable }
        package var level: Int32?
        package var mode = Mode.emulate

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("level", &level)
            if x.isReading, let level, !(1...3).contains(level) {
                throw VirtError(.xmlError, .cpu, "invalid CPU cache level, must be in range [1,3]")
            }
            try x.required("mode", &mode)
        }
    }

    package struct PhysicalAddress: Equatable, Sendable, XMLMappable {
        package enum Mode: String, XMLEnum { case emulate, passthrough }
        package var mode = Mode.emulate
        package var bits: Int32?
        package var limit: Int32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("mode", &mode)
            try x.attribute("bits", &bits)
            try x.attribute("limit", &limit)
        }
    }

    package struct Feature: Equatable, Sendable, XMLMappable {
        package enum Policy: String, XMLEnum { case force, require, optional, disable, forbid }
        package var policy: Policy?
        package var name = ""

        package init() {}
        package init(_ name: String, _ policy: Policy) {
            self.name = name
            self.policy = policy
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try mapPolicy(&x)
            try x.required("name", &name, missing: VirtError(.xmlError, .cpu, "Invalid CPU feature name"))
            if x.isReading, name.isEmpty { throw VirtError(.xmlError, .cpu, "Invalid CPU feature name") }
            if x.isReading, policy == nil { policy = .require }
        }

        private mutating func mapPolicy<M: ElementMapper>(_ x: inout M) throws {
            if x.isReading, let word = x.node?.attribute("policy"), Policy(rawValue: word) == nil {
                throw VirtError(.configUnsupported, .cpu, "Invalid CPU feature policy")
            }
            try x.attribute("policy", &policy)
        }
    }
}
