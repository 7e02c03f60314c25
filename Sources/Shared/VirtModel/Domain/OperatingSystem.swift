import VirtCore
package import VirtXML

/// The guest's machine, firmware and boot (`<os>`).
package struct OperatingSystem: Equatable, Sendable, XMLMappable {
    package enum FirmwareKind: String, XMLEnum { case bios, efi }
    package enum SMBIOSMode: String, XMLEnum { case emulate, host, sysinfo }

    /// The kind of firmware that libvirt is to choose.
    package var firmware: FirmwareKind?
    package var firmwareFeatures: [FirmwareFeature] = []
    /// `hvm`.
    package var type: String?
    package var arch: String?
    package var machine: String?
    package var loader: Loader?
    package var nvram: NVRAMFile?
    package var kernel: String?
    package var initrd: String?
    package var commandLine: String?
    package var deviceTree: String?
    /// The file of an ACPI SLIC table.
    package var acpiTable: String?
    package var bootDevices: [BootOptions.Device] = []
    package var bootMenu: BootOptions.Menu?
    package var bios: BootOptions.BIOS?
    package var smbios: SMBIOSMode?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("firmware", &firmware)
        try x.group("type") { x in
            try x.attribute("arch", &arch)
            try x.attribute("machine", &machine)
            // An empty word counts as none.
            if x.isReading, machine?.isEmpty == true { machine = nil }
            if x.isReading, let arch, !Self.architectures.contains(arch) {
                throw VirtError.unsupported("Unknown architecture \(arch)")
            }
            try x.text(&type)
            if x.isReading, let type, !Self.types.contains(type) {
                throw VirtError.unsupported("unknown OS type '\(type)'")
            }
        }
        try x.group("firmware") { try $0.elements("feature", &firmwareFeatures) }
        if x.isReading { firmwareFeatures.sort { $0.name.rawValue < $1.name.rawValue } }
        try x.element("loader", &loader)
        try x.element("nvram", &nvram)
        try x.textElement("kernel", &kernel)
        try x.textElement("initrd", &initrd)
        try x.textElement("cmdline", &commandLine)
        try x.textElement("dtb", &deviceTree)
        try x.group("acpi") { try $0.group("table") { try Self.mapTable(&acpiTable, &$0) } }
        try mapBoot(&x)
        try x.element("bootmenu", &bootMenu)
        if x.isReading, bootMenu?.enable == nil { bootMenu = nil }
        try x.element("bios", &bios)
        if x.isReading, bios == BootOptions.BIOS() { bios = nil }
        try x.valueElement("smbios", "mode", &smbios)
    }

    private static let architectures: Set<String> = [
        "", "alpha", "armv6l", "armv7l", "armv7b", "aarch64", "cris", "i686", "ia64", "itanium", "lm32", "m68k",
        "microblaze", "microblazeel", "mips", "mipsel", "mips64", "mips64el", "or32", "parisc", "parisc64", "ppc",
        "ppcle", "ppc64", "ppc64le", "ppcemb", "riscv32", "riscv64", "s390", "s390x", "sh4", "sh4eb", "sparc",
        "sparc64", "unicore32", "x86_64", "xtensa", "xtensaeb",
    ]

    /// The words that libvirt knows; QEMU's guests are `hvm`.
    private static let types: Set<String> = ["hvm", "xen", "linux", "exe", "uml", "xenpvh"]

    private mutating func mapBoot<M: ElementMapper>(_ x: inout M) throws {
        var devices = bootDevices.map { BootDevice(device: $0) }
        try x.elements("boot", &devices)
        if x.isReading { bootDevices = devices.map(\.device) }
    }

    private static func mapTable<M: ElementMapper>(_ table: inout String?, _ x: inout M) throws {
        var type: String? = table == nil ? nil : "slic"
        try x.attribute("type", &type)
        try x.text(&table)
        if x.isReading, let type, type != "slic" {
            throw VirtError.unsupported("Unknown acpi table type: \(type)")
        }
    }

    /// One `<boot dev=''/>`.
    private struct BootDevice: Equatable, XMLMappable {
        var device = BootOptions.Device.hd
        init() {}
        init(device: BootOptions.Device) { self.device = device }
        mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.required("dev", &device) }
    }

    /// A property that the chosen firmware must or must not have.
    package struct FirmwareFeature: Equatable, Sendable, XMLMappable {
        package enum Name: String, XMLEnum {
            case enrolledKeys = "enrolled-keys"
            case secureBoot = "secure-boot"
        }
        package var enabled = false
        package var name = Name.secureBoot

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("enabled", &enabled)
            try x.required("name", &name)
        }
    }

    /// The firmware's code.
    package struct Loader: Equatable, Sendable, XMLMappable {
        package enum Kind: String, XMLEnum { case rom, pflash }
        package var readonly: Bool?
        package var secure: Bool?
        package var type: Kind?
        package var stateless: Bool?
        package var path: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("readonly", &readonly)
            try x.attribute("secure", &secure)
            try x.attribute("type", &type)
            try x.attribute("stateless", &stateless)
            try x.text(&path)
        }
    }

    /// The firmware's variables.
    package struct NVRAMFile: Equatable, Sendable, XMLMappable {
        package var template: String?
        /// The path of a plain file; nil when `source` says where it is.
        package var path: String?
        package var type: DiskSource.Kind?
        package var source: DiskSource?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("template", &template)
            try x.attribute("type", &type)
            guard let type else {
                try x.text(&path)
                return
            }
            var source = self.source ?? DiskSource()
            source.type = type
            try x.group("source") { try source.map(&$0) }
            self.source = source
        }
    }
}

extension OperatingSystem {
    /// - Parameter name: the guest's, for the file that keeps the firmware's variables.
    mutating func complete(_ context: DomainCompletion, guest name: String) {
        completeVariables("\(context.host.nvramDirectory)/\(name)_VARS.fd")
        if loader?.path != nil, loader?.type == nil { loader?.type = .rom }
    }

    /// A UEFI guest with a flash image of its own keeps its variables in a file named after it.
    private mutating func completeVariables(_ path: String) {
        guard let loader, loader.type == .pflash, loader.readonly == true, firmware == nil else { return }
        var file = nvram ?? NVRAMFile()
        guard file.path == nil, file.type == nil, loader.stateless != true else { return }
        file.path = path
        nvram = file
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        let (machine, features) = (context.machine, context.domain.features)
        try validateLoader(machine, features)
        if bios?.useSerial == true, context.devices.serials.isEmpty {
            throw VirtError.malformed("need at least one serial port to use BIOS serial output")
        }
        let isUEFI = loader?.type == .pflash || firmware == .efi
        if isUEFI, machine.isX86, !features.acpi {
            throw VirtError.unsupported("UEFI requires ACPI on this architecture", .qemu)
        }
        if features.acpi, !isUEFI, machine.arch == "aarch64" {
            throw VirtError.unsupported("ACPI requires UEFI on this architecture", .qemu)
        }
    }

    private func validateLoader(_ machine: MachineKind, _ features: Features) throws(VirtError) {
        guard let loader else { return }
        if firmware != nil, loader.path == nil {
            if loader.readonly != nil { throw Self.refused("readonly") }
            if loader.type != nil { throw Self.refused("type") }
            if loader.secure == false { throw Self.refused("secure") }
        }
        guard loader.secure == true, loader.path != nil, firmware == nil else { return }
        guard machine.isQ35 else {
            throw VirtError.unsupported("Secure boot is supported with q35 machine types only", .qemu)
        }
        guard features.smm?.state == true else {
            throw VirtError.unsupported("Secure boot requires SMM feature enabled", .qemu)
        }
    }

    private static func refused(_ attribute: String) -> VirtError {
        VirtError(
            .xmlDetail, .domain,
            "loader attribute '\(attribute)' cannot be specified when firmware autoselection is enabled")
    }
}
