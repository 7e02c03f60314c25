import VirtCore
package import VirtXML

/// What the guest reads in its SMBIOS or fw_cfg tables (`<sysinfo>`).
package struct SysInfo: Equatable, Sendable, XMLMappable {
    package enum Kind: String, XMLEnum { case smbios, fwcfg }

    package var type = Kind.smbios
    package var bios: [Entry] = []
    package var system: [Entry] = []
    package var baseBoards: [Block] = []
    package var chassis: [Entry] = []
    package var oemStrings: [String] = []
    package var firmwareConfig: [FirmwareEntry] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &type)
        try x.group("bios") { try $0.elements("entry", &bios) }
        try x.group("system") { try $0.elements("entry", &system) }
        try x.elements("baseBoard", &baseBoards)
        try x.group("chassis") { try $0.elements("entry", &chassis) }
        try x.group("oemStrings") { try $0.textElements("entry", &oemStrings) }
        if type == .fwcfg { try x.elements("entry", &firmwareConfig) }
        if x.isReading { try checkDate() }
    }

    /// `mm/dd/yyyy`, or `mm/dd/yy` of the last century.
    private func checkDate() throws(VirtError) {
        guard let date = bios.first(where: { $0.name == "date" })?.value else { return }
        let parts = date.split(separator: "/", omittingEmptySubsequences: false).map { Int32($0) }
        if parts.count == 3, let month = parts[0], let day = parts[1], let year = parts[2],
            (1...12).contains(month), (1...31).contains(day), (0..<100).contains(year) || year >= 1900
        {
            return
        }
        throw VirtError(.xmlDetail, .domain, "Invalid BIOS 'date' format")
    }

    package struct Entry: Equatable, Sendable, XMLMappable {
        package var name = ""
        package var value = ""

        package init() {}
        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.text(&value)
        }
    }

    package struct Block: Equatable, Sendable, XMLMappable {
        package var entries: [Entry] = []

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.elements("entry", &entries) }
    }

    package struct FirmwareEntry: Equatable, Sendable, XMLMappable {
        package var name = ""
        package var file: String?
        package var value: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.attribute("file", &file)
            try x.text(&value)
        }
    }
}

extension SysInfo {
    /// The table that says the guest's UUID must say the same.
    func validate(_ context: DomainValidation) throws(VirtError) {
        guard let uuid = context.domain.uuid else { return }
        for entry in system where entry.name == "uuid" {
            guard let own = UUID(parsing: entry.value) else {
                throw VirtError(.xmlDetail, .domain, "malformed <sysinfo> uuid element")
            }
            if own != uuid { throw VirtError(.xmlDetail, .domain, "UUID mismatch between <uuid> and <sysinfo>") }
        }
    }
}
