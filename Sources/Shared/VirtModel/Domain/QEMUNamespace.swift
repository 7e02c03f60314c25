package import VirtXML

/// What is passed to QEMU besides libvirt's own options (`<qemu:...>`).
package struct QEMUNamespace: Equatable, Sendable {
    package var arguments: [Argument] = []
    package var environment: [Variable] = []
    package var capabilitiesAdded: [CapabilityName] = []
    package var capabilitiesRemoved: [CapabilityName] = []
    package var overrides: [DeviceOverride] = []
    package var deprecation: String?

    package init() {}

    package var isEmpty: Bool { self == QEMUNamespace() }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.group("qemu:commandline") { x in
            try x.elements("qemu:arg", &arguments)
            try x.elements("qemu:env", &environment)
        }
        try x.group("qemu:capabilities") { x in
            try x.elements("qemu:add", &capabilitiesAdded)
            try x.elements("qemu:del", &capabilitiesRemoved)
        }
        try x.group("qemu:override") { try $0.elements("qemu:device", &overrides) }
        try x.valueElement("qemu:deprecation", "behavior", &deprecation)
    }

    package struct Argument: Equatable, Sendable, XMLMappable {
        package var value = ""

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.required("value", &value) }
    }

    package struct Variable: Equatable, Sendable, XMLMappable {
        package var name = ""
        package var value: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.attribute("value", &value)
        }
    }

    package struct CapabilityName: Equatable, Sendable, XMLMappable {
        package var capability = ""

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.required("capability", &capability) }
    }

    /// Properties of one device that are set after libvirt's.
    package struct DeviceOverride: Equatable, Sendable, XMLMappable {
        package var alias = ""
        package var properties: [Property] = []

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("alias", &alias)
            try x.group("qemu:frontend") { try $0.elements("qemu:property", &properties) }
        }
    }

    package struct Property: Equatable, Sendable, XMLMappable {
        package enum Kind: String, XMLEnum { case string, unsigned, signed, bool, remove }
        package var name = ""
        package var type = Kind.string
        package var value: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.required("type", &type)
            try x.attribute("value", &value)
        }
    }
}
