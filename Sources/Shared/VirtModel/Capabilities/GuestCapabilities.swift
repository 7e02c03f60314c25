package import VirtXML

extension HostCapabilities {
    /// One architecture of guests that the host runs (`<guest>`).
    package struct Guest: Equatable, Sendable, XMLMappable {
        package var osType = "hvm"
        package var arch = Arch()
        package var features = Features()

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.textElement("os_type", &osType)
            try x.element("arch", &arch, always: true)
            try x.element("features", &features)
        }
    }

    package struct Arch: Equatable, Sendable, XMLMappable {
        package var name = "x86_64"
        package var wordSize: UInt32 = 64
        package var emulator: String?
        package var machines: [Machine] = []
        package var domains: [DomainType] = []

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.textElement("wordsize", &wordSize)
            try x.textElement("emulator", &emulator)
            try x.elements("machine", &machines)
            try x.elements("domain", &domains)
        }
    }

    package struct Machine: Equatable, Sendable, XMLMappable {
        package var canonical: String?
        package var maximumCPUs: UInt32?
        package var deprecated: Bool?
        package var name = ""

        package init() {}
        package init(_ name: String, canonical: String? = nil, maximumCPUs: UInt32? = nil, deprecated: Bool? = nil) {
            self.name = name
            self.canonical = canonical
            self.maximumCPUs = maximumCPUs
            self.deprecated = deprecated
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("canonical", &canonical)
            try x.attribute("maxCpus", &maximumCPUs)
            try x.attribute("deprecated", &deprecated)
            try x.text(&name)
        }
    }

    package struct DomainType: Equatable, Sendable, XMLMappable {
        package var type = "qemu"
        package var emulator: String?
        package var machines: [Machine] = []

        package init() {}
        package init(_ type: String) { self.type = type }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("type", &type)
            try x.textElement("emulator", &emulator)
            try x.elements("machine", &machines)
        }
    }

    /// A feature that a guest has by default, and may be switched.
    package struct Toggle: Equatable, Sendable, XMLMappable {
        package var isOn = true
        package var canToggle = false

        package init() {}
        package init(on: Bool, toggle: Bool) {
            isOn = on
            canToggle = toggle
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("default", &isOn, .onOff)
            try x.attribute("toggle", &canToggle)
        }
    }

    package struct Features: Equatable, Sendable, XMLMappable {
        package var pae = false
        package var nonPAE = false
        package var acpi: Toggle?
        package var apic: Toggle?
        package var cpuSelection = true
        package var deviceBoot = true
        package var diskSnapshot: Toggle? = Toggle(on: true, toggle: false)

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.presence("pae", &pae)
            try x.presence("nonpae", &nonPAE)
            try x.element("acpi", &acpi)
            try x.element("apic", &apic)
            try x.presence("cpuselection", &cpuSelection)
            try x.presence("deviceboot", &deviceBoot)
            try x.element("disksnapshot", &diskSnapshot)
        }
    }
}
