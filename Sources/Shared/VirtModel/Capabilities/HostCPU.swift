package import VirtXML

/// The host's processor as a model with features (`<cpu>` of the capabilities).
package struct HostCPU: Equatable, Sendable, XMLMappable {
    package struct Signature: Equatable, Sendable, XMLMappable {
        package var family: UInt32 = 0
        package var model: UInt32 = 0
        package var stepping: UInt32 = 0

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("family", &family)
            try x.attribute("model", &model)
            try x.attribute("stepping", &stepping)
        }
    }

    /// A counter such as the time stamp counter's frequency.
    package struct Counter: Equatable, Sendable, XMLMappable {
        package var name = "tsc"
        package var frequency: UInt64 = 0
        package var scaling: Bool?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.required("frequency", &frequency)
            try x.attribute("scaling", &scaling)
        }
    }

    package struct Named: Equatable, Sendable, XMLMappable {
        package var name = ""

        package init() {}
        package init(_ name: String) { self.name = name }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.required("name", &name) }
    }

    /// A size of memory pages in KiB, and how many there are on a node.
    package struct Pages: Equatable, Sendable, XMLMappable {
        package var size: UInt64 = 4
        package var count: UInt64?

        package init() {}
        package init(size: UInt64, count: UInt64? = nil) {
            self.size = size
            self.count = count
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            var unit = "KiB"
            try x.attribute("unit", &unit)
            try x.attribute("size", &size)
            try x.text(&count)
        }
    }

    package var arch = "x86_64"
    package var model: String?
    package var vendor: String?
    package var microcode: UInt32?
    package var signature: Signature?
    package var counter: Counter?
    package var topology: CPU.Topology?
    package var physicalAddress: CPU.PhysicalAddress?
    package var features: [Named] = []
    package var pages: [Pages] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("arch", &arch)
        try x.textElement("model", &model)
        try x.textElement("vendor", &vendor)
        try x.valueElement("microcode", "version", &microcode)
        try x.element("signature", &signature)
        try x.element("counter", &counter)
        try x.element("topology", &topology)
        try x.element("maxphysaddr", &physicalAddress)
        try x.elements("feature", &features)
        try x.elements("pages", &pages)
    }
}
