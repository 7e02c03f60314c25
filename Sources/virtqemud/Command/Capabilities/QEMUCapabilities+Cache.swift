import VirtCore
package import VirtXML

/// libvirt's cache file of a binary's facts, /var/cache/libvirt/qemu/capabilities/SHA256.xml.
extension QEMUCapabilities: XMLMappable {
    /// Reads a cache file.
    package static func parse(cache bytes: some Sequence<UInt8>) throws -> QEMUCapabilities {
        let root = try XMLDocument.root("qemuCaps", of: bytes, name: "(qemu_capabilities)", domain: .qemu)
        return try ElementReader.read(root)
    }

    /// The cache file's text.
    package func formatCache() throws -> String { try ElementWriter.document("qemuCaps", self) }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("emulator", &emulator)
        try x.textElement("qemuctime", &origin.binaryTime)
        try x.textElement("qemumoddirmtime", &origin.modulesTime, default: 0)
        try x.textElement("selfctime", &origin.selfTime)
        try x.textElement("selfvers", &origin.selfVersion)
        try x.textElement("proberctime", &origin.proberTime)
        try mapFlags(&x)
        try x.textElement("version", &version)
        try x.textElement("kvmVersion", &origin.kvmVersion)
        try x.textElement("microcodeVersion", &origin.microcodeVersion)
        try x.textElement("hostCPUSignature", &origin.hostCPUSignature)
        try x.textElement("package", &package)
        try x.textElement("kernelVersion", &origin.kernelVersion)
        try x.textElement("arch", &architecture)
        try mapAccelerators(&x)
        try x.elements("gic", &gic)
        try x.element("sev", &sev)
        try x.element("sgx", &sgx)
        try x.presence("kvmSupportsNesting", &origin.supportsNesting)
        try x.presence("kvmSupportsSecureGuest", &origin.supportsSecureGuest)
        try x.element("hypervCapabilities", &hyperv)
    }

    /// Names that this version doesn't know are left out.
    private mutating func mapFlags<M: ElementMapper>(_ x: inout M) throws {
        var names = x.isReading ? [] : QEMUFlag.allCases.filter(has).map { Named(name: $0.rawValue) }
        try x.elements("flag", &names)
        if x.isReading { flags = Set(names.compactMap { QEMUFlag(rawValue: $0.name) }) }
    }

    private mutating func mapAccelerators<M: ElementMapper>(_ x: inout M) throws {
        if x.isReading {
            try kvm.map(&x, type: "kvm")
            try tcg.map(&x, type: "tcg")
            return
        }
        if has(.kvm) { try kvm.map(&x, type: "kvm") }
        try tcg.map(&x, type: "tcg")
    }
}

/// An element with a name and nothing else.
private struct Named: XMLMappable {
    var name = ""

    mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.required("name", &name) }
}

/// An element that says which accelerator it is of.
private struct Tagged<Body: XMLMappable>: XMLMappable {
    var type = ""
    var body = Body()

    init() {}

    init(_ type: String, _ body: Body) {
        self.type = type
        self.body = body
    }

    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &type)
        try body.map(&x)
    }
}

extension QEMUCapabilities.Accelerator {
    fileprivate mutating func map<M: ElementMapper>(_ x: inout M, type: String) throws {
        var hosts = hostCPU.map { [$0] } ?? []
        try Self.map(&x, "hostCPU", type, &hosts)
        hostCPU = hosts.first
        try Self.map(&x, "cpu", type, &cpus)
        try Self.map(&x, "machine", type, &machines)
    }

    private static func map<M: ElementMapper, Body: XMLMappable>(
        _ x: inout M, _ name: StaticString, _ type: String, _ bodies: inout [Body]
    ) throws {
        var tagged = bodies.map { Tagged(type, $0) }
        if x.isReading { tagged = [] }
        try x.elements(name, &tagged)
        if x.isReading { bodies = tagged.filter { $0.type == type }.map(\.body) }
    }
}

extension QEMUCapabilities.HostCPU: XMLMappable {
    package init() { self.init(model: "", knowsMigratability: false, properties: []) }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.attribute("migratability", &knowsMigratability)
        try x.elements("property", &properties)
    }
}

extension QEMUCapabilities.Property: XMLMappable {
    package init() { self.init(name: "", value: .boolean(false)) }

    private enum Kind: String, XMLEnum { case boolean, string, number }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("name", &name)
        switch value {
        case .boolean(let flag): try mapValue(&x, .boolean, flag ? "true" : "false")
        case .string(let text): try mapValue(&x, .string, text)
        case .number(let number): try mapValue(&x, .number, String(number))
        }
        try x.attribute("migratable", &migratable)
    }

    private mutating func mapValue<M: ElementMapper>(_ x: inout M, _ kind: Kind, _ text: String) throws {
        var kind = kind
        var text = text
        try x.required("type", &kind)
        try x.required("value", &text)
        guard x.isReading else { return }
        switch kind {
        case .boolean: value = .boolean(text == "true")
        case .string: value = .string(text)
        case .number:
            guard let number = Int64(text) else {
                throw VirtError(.internalError, .qemu, "invalid number value for '\(name)' host CPU property")
            }
            value = .number(number)
        }
    }
}

extension QEMUCapabilities.CPU: XMLMappable {
    package init() { self.init(name: "") }

    /// libvirt's words for a model's usability; `unknown` is not printed.
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("name", &name)
        try x.attribute("typename", &typeName)
        try x.attribute("usable", &usable)
        var isDeprecated: Bool? = deprecated ? true : nil
        try x.attribute("deprecated", &isDeprecated)
        deprecated = isDeprecated ?? false
        var names = blockers.map { Named(name: $0) }
        if x.isReading { names = [] }
        try x.elements("blocker", &names)
        if x.isReading { blockers = names.map(\.name) }
    }
}

extension QEMUCapabilities.Machine: XMLMappable {
    package init() { self.init(name: "") }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("name", &name)
        try x.attribute("alias", &alias)
        try x.attribute("hotplugCpus", &hotplugCPUs, default: false)
        try x.attribute("maxCpus", &maximumCPUs)
        try x.attribute("default", &isDefault, default: false)
        try x.attribute("defaultCPU", &defaultCPU)
        try x.attribute("numaMemSupported", &numaMemorySupported, default: false)
        try x.attribute("defaultRAMid", &defaultRAMID)
        try x.attribute("deprecated", &deprecated, default: false)
    }
}

extension QEMUCapabilities.GIC: XMLMappable {
    package init() { self.init(version: 0, kernel: false, emulated: false) }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("version", &version)
        try x.required("kernel", &kernel)
        try x.required("emulated", &emulated)
    }
}

extension QEMUCapabilities.Hyperv: XMLMappable {
    package init() { self.init(supported: false, features: []) }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("supported", &supported)
        var names = features.map { Named(name: $0) }
        if x.isReading { names = [] }
        try x.elements("cap", &names)
        if x.isReading { features = names.map(\.name) }
    }
}

extension QEMUCapabilities.SEV: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("cbitpos", &cbitPosition)
        try x.textElement("reducedPhysBits", &reducedPhysicalBits)
        try x.textElement("pdh", &pdh)
        try x.textElement("certChain", &certificateChain)
        try x.textElement("cpu0Id", &cpu0ID)
    }
}

extension QEMUCapabilities.SGX: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var supported = true
        try x.attribute("supported", &supported)
        try x.textElement("flc", &flexibleLaunchControl)
        try x.textElement("sgx1", &sgx1)
        try x.textElement("sgx2", &sgx2)
        var size: UInt64? = sectionSize
        try x.sizeElement("section_size", bytes: &size)
        sectionSize = size ?? 0
        try x.group("sections") { try $0.elements("section", &sections) }
    }
}

extension QEMUCapabilities.SGX.Section: XMLMappable {
    package init() { self.init(node: 0, size: 0) }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("node", &node)
        try x.required("size", &size)
    }
}
