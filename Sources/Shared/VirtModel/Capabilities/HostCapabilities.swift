package import VirtCore
package import VirtXML

/// What a host and its hypervisors can do (`<capabilities>`, virConnectGetCapabilities).
package struct HostCapabilities: Equatable, Sendable, XMLMappable {
    package var host = Host()
    package var guests: [Guest] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        x.blankLine()
        try x.element("host", &host, always: true)
        if x.isReading {
            try x.elements("guest", &guests)
        } else {
            for guest in guests {
                x.blankLine()
                var copy: Guest? = guest
                try x.element("guest", &copy)
            }
            x.blankLine()
        }
    }

    /// The document as libvirt prints it.
    package func format() throws -> String { try ElementWriter.document("capabilities", self) }

    /// The machine itself.
    package struct Host: Equatable, Sendable, XMLMappable {
        package var uuid: UUID?
        package var cpu = HostCPU()
        package var powerManagement = PowerManagement()
        package var hasIOMMU = false
        package var migration: Migration? = Migration()
        package var cells: [Cell] = []
        package var caches: [CacheBank] = []
        package var securityModels: [SecurityModel] = []

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.textElement("uuid", &uuid)
            try x.element("cpu", &cpu, always: true)
            try x.element("power_management", &powerManagement, always: true)
            try x.group("iommu") { try $0.attribute("support", &hasIOMMU) }
            try x.element("migration_features", &migration)
            try x.group("topology") { x in
                try x.group("cells") { x in
                    var count = cells.count
                    if !cells.isEmpty || x.isReading { try x.attribute("num", &count) }
                    try x.elements("cell", &cells)
                }
            }
            try x.group("cache") { try $0.elements("bank", &caches) }
            try x.elements("secmodel", &securityModels)
        }
    }

    /// The sleep states that the host itself has.
    package struct PowerManagement: Equatable, Sendable, XMLMappable {
        package var suspendToMemory = false
        package var suspendToDisk = false
        package var hybridSuspend = false

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.presence("suspend_mem", &suspendToMemory)
            try x.presence("suspend_disk", &suspendToDisk)
            try x.presence("suspend_hybrid", &hybridSuspend)
        }
    }

    package struct Migration: Equatable, Sendable, XMLMappable {
        package var isLive = true
        package var transports = ["tcp", "rdma"]

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.presence("live", &isLive)
            try x.group("uri_transports") { try $0.textElements("uri_transport", &transports) }
        }
    }

    /// A security driver, with the labels that guests have by default.
    package struct SecurityModel: Equatable, Sendable, XMLMappable {
        package struct BaseLabel: Equatable, Sendable, XMLMappable {
            package var type = ""
            package var label = ""

            package init() {}
            package init(type: String, label: String) {
                self.type = type
                self.label = label
            }

            package mutating func map<M: ElementMapper>(_ x: inout M) throws {
                try x.required("type", &type)
                try x.text(&label)
            }
        }

        package var model = "none"
        package var doi = "0"
        package var baseLabels: [BaseLabel] = []

        package init() {}
        package init(model: String, doi: String = "0", baseLabels: [BaseLabel] = []) {
            self.model = model
            self.doi = doi
            self.baseLabels = baseLabels
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.textElement("model", &model)
            try x.textElement("doi", &doi)
            try x.elements("baselabel", &baseLabels)
        }
    }
}
