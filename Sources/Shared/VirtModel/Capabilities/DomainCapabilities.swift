package import VirtXML

/// What guests of one machine type can have (`<domainCapabilities>`, virConnectGetDomainCapabilities).
package struct DomainCapabilities: Equatable, Sendable, XMLMappable {
    package var path = ""
    package var domain = "qemu"
    package var machine: String?
    package var arch = "x86_64"
    package var maximumCPUs: UInt32?
    package var iothreads: Bool?
    package var os = Section()
    package var loader: Section? = Section()
    package var cpu = CPUModes()
    package var memoryBacking: Section?
    /// `disk`, `graphics`, `video`, ... in order.
    package var devices: [Section] = []
    package var features = FeatureSupport()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("path", &path)
        try x.textElement("domain", &domain)
        try x.textElement("machine", &machine)
        try x.textElement("arch", &arch)
        try x.valueElement("vcpu", "max", &maximumCPUs)
        try x.valueElement("iothreads", "supported", &iothreads)
        try x.group("os", always: true) { x in
            try os.map(&x)
            try x.element("loader", &loader)
        }
        try x.element("cpu", &cpu, always: true)
        try x.element("memoryBacking", &memoryBacking)
        try x.group("devices", always: true) { try $0.choices(&devices) }
        try x.element("features", &features)
    }

    /// The document as libvirt prints it.
    package func format() throws -> String { try ElementWriter.document("domainCapabilities", self) }

    /// The values that one attribute may have.
    package struct Values: Equatable, Sendable, XMLMappable {
        package var name = ""
        package var values: [String] = []

        package init() {}
        package init(_ name: String, _ values: [String]) {
            self.name = name
            self.values = values
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.textElements("value", &values)
        }
    }

    /// Something that is there or not, with the values that go with it; `name` is the element's.
    package struct Section: Equatable, Sendable, XMLMappable, XMLChoice {
        package var name = ""
        package var supported = true
        /// Files or names of the section itself, for the loader.
        package var values: [String] = []
        package var enums: [Values] = []

        package init() {}
        package init(_ name: String, supported: Bool = true, values: [String] = [], enums: [Values] = []) {
            self.name = name
            self.supported = supported
            self.values = values
            self.enums = enums
        }

        package static func make(elementName: String) -> Section? { Section(elementName) }
        package var elementName: String { name }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("supported", &supported)
            try x.textElements("value", &values)
            try x.elements("enum", &enums)
        }
    }
}
