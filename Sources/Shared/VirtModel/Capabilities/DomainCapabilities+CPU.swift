package import VirtXML

extension DomainCapabilities {
    /// The CPUs that a guest may be given.
    package struct CPUModes: Equatable, Sendable, XMLMappable {
        package var modes: [Mode] = []

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.elements("mode", &modes) }
    }

    package struct Mode: Equatable, Sendable, XMLMappable {
        package var name = ""
        package var supported = true
        package var enums: [Values] = []
        /// What host-model stands for on this host.
        package var hostModel: HostModel?
        /// The named models.
        package var models: [Model] = []

        package init() {}
        package init(_ name: String, supported: Bool) {
            self.name = name
            self.supported = supported
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.required("supported", &supported)
            try x.elements("enum", &enums)
            if name == "host-model" {
                guard supported else { return }
                var model = hostModel ?? HostModel()
                if x.isReading || hostModel != nil { try model.map(&x) }
                hostModel = model
            } else {
                try x.elements("model", &models)
            }
        }
    }

    /// host-model as a model with features.
    package struct HostModel: Equatable, Sendable, XMLMappable {
        package var model: CPU.Model?
        package var vendor: String?
        package var physicalAddress: CPU.PhysicalAddress?
        package var features: [CPU.Feature] = []

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.element("model", &model)
            try x.textElement("vendor", &vendor)
            try x.element("maxphysaddr", &physicalAddress)
            try x.elements("feature", &features)
        }
    }

    package struct Model: Equatable, Sendable, XMLMappable {
        package enum Usability: String, XMLEnum { case yes, no, unknown }
        package var usable: Usability?
        package var deprecated: Bool?
        package var vendor: String?
        package var name = ""

        package init() {}
        package init(_ name: String, usable: Usability?, vendor: String?, deprecated: Bool? = nil) {
            self.name = name
            self.usable = usable
            self.vendor = vendor
            self.deprecated = deprecated
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("usable", &usable)
            try x.attribute("deprecated", &deprecated)
            try x.attribute("vendor", &vendor)
            try x.text(&name)
        }
    }

    /// Features that are there or not.
    package struct FeatureSupport: Equatable, Sendable, XMLMappable {
        package var gic: Section? = Section("gic", supported: false)
        package var vmcoreinfo: Bool?
        package var genid: Bool?
        package var backingStoreInput: Bool?
        package var backup: Bool?
        package var s390PV: Bool?
        package var sevSupported: Bool? = false
        package var sgxSupported: Bool? = false
        package var hyperv: Section?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.element("gic", &gic)
            try x.valueElement("vmcoreinfo", "supported", &vmcoreinfo)
            try x.valueElement("genid", "supported", &genid)
            try x.valueElement("backingStoreInput", "supported", &backingStoreInput)
            try x.valueElement("backup", "supported", &backup)
            try x.valueElement("s390-pv", "supported", &s390PV)
            try x.valueElement("sev", "supported", &sevSupported)
            try x.valueElement("sgx", "supported", &sgxSupported)
            try x.element("hyperv", &hyperv)
        }
    }
}
