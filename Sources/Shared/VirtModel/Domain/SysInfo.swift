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
    }

    package struct Entry: Equatable, Sendable, XMLMappable {
        package var name = ""
        package var value = ""

        package init() {}

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
