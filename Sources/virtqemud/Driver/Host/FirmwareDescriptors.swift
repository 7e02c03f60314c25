import QEMUCommand
import VirtCore
import VirtModel
import VirtOS

/// The firmware images that are installed, as their descriptor files tell (QEMU's `firmware.json`).
struct FirmwareDescriptor: Sendable, Equatable {
    var isUEFI: Bool
    var isBIOS: Bool
    /// `flash`, `memory` or `kernel`.
    var device: String
    /// How flash is laid out: `split`, `combined` or `stateless`.
    var mode: String
    var executable: String
    var nvramTemplate: String?
    var features: [String]
    /// Architecture by QEMU's name, and machine patterns.
    var targets: [(architecture: String, machines: [String])]

    static func == (left: FirmwareDescriptor, right: FirmwareDescriptor) -> Bool {
        left.executable == right.executable && left.nvramTemplate == right.nvramTemplate
            && left.features == right.features
    }

    init?(_ value: JSONValue) {
        let types = value["interface-types"]?.array ?? []
        isUEFI = types.contains("uefi")
        isBIOS = types.contains("bios")
        let mapping = value["mapping"]
        device = mapping?["device"]?.string ?? "flash"
        mode = mapping?["mode"]?.string ?? "split"
        guard let file = mapping?["executable"]?["filename"]?.string ?? mapping?["filename"]?.string else { return nil }
        executable = file
        nvramTemplate = mapping?["nvram-template"]?["filename"]?.string
        features = (value["features"]?.array ?? []).compactMap(\.string)
        targets = (value["targets"]?.array ?? []).compactMap { target in
            guard let architecture = target["architecture"]?.string else { return nil }
            return (architecture, (target["machines"]?.array ?? []).compactMap(\.string))
        }
    }

    /// The variables that belong to a firmware image. Blocks.
    static func template(for loader: String) -> String? {
        if let known = all().first(where: { $0.executable == loader }) { return known.nvramTemplate }
        let pairs = [
            "/usr/share/OVMF/OVMF_CODE.fd": "/usr/share/OVMF/OVMF_VARS.fd",
            "/usr/share/OVMF/OVMF_CODE.secboot.fd": "/usr/share/OVMF/OVMF_VARS.fd",
            "/usr/share/OVMF/OVMF_CODE.ms.fd": "/usr/share/OVMF/OVMF_VARS.ms.fd",
            "/usr/share/AAVMF/AAVMF_CODE.fd": "/usr/share/AAVMF/AAVMF_VARS.fd",
            "/usr/share/AAVMF/AAVMF32_CODE.fd": "/usr/share/AAVMF/AAVMF32_VARS.fd",
        ]
        return pairs[loader]
    }

    /// Whether a guest may boot it that asks for firmware of a kind.
    func fits(_ domain: Domain) -> Bool {
        guard domain.os.firmware == .efi ? isUEFI : isBIOS else { return false }
        guard fits(domain.os.arch ?? "", domain.os.machine ?? "") else { return false }
        let has = { (name: String) in features.contains(name) }
        if domain.powerManagement.suspendToMemory == true, !has("acpi-s3") { return false }
        if domain.powerManagement.suspendToDisk == true, !has("acpi-s4") { return false }
        for feature in domain.os.firmwareFeatures where feature.enabled != has(feature.name.rawValue) { return false }
        if domain.os.loader?.secure == true, !has("requires-smm") { return false }
        if device == "flash", (mode == "stateless") != (domain.os.loader?.stateless == true) { return false }
        guard domain.launchSecurity?.type == .sev else { return true }
        return has("amd-sev")
    }

    /// Whether a machine type may boot it.
    func fits(_ architecture: String, _ machine: String) -> Bool {
        targets.contains { target in
            Architecture.name(ofTarget: target.architecture) == architecture
                && target.machines.contains { Self.matches(machine, pattern: $0) }
        }
    }

    /// A pattern with `*` at its end, or the name itself.
    private static func matches(_ name: String, pattern: String) -> Bool {
        pattern.hasSuffix("*") ? name.hasPrefix(pattern.dropLast()) : name == pattern
    }

    /// All descriptors in the order of their file names. Blocks.
    static func all() -> [FirmwareDescriptor] {
        InteropFiles.paths("firmware").compactMap { path in
            (try? InteropFiles.parse(path)).flatMap { FirmwareDescriptor($0) }
        }
    }
}

extension DomainCapabilityFacts.HostSupport {
    /// What firmware a machine can have on this host. Blocks.
    mutating func addFirmware(_ architecture: String, _ machine: String) {
        let fitting = FirmwareDescriptor.all().filter { $0.fits(architecture, machine) }
        if fitting.contains(where: \.isBIOS) { firmware.append("bios") }
        if fitting.contains(where: \.isUEFI) { firmware.append("efi") }
        let standard = [
            "OVMF/OVMF_CODE.fd", "OVMF/OVMF_CODE.secboot.fd", "AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF32_CODE.fd",
        ]
        let paths = fitting.isEmpty ? standard.map { "/usr/share/" + $0 } : fitting.map(\.executable)
        for path in paths where FileSystem.exists(path) && !loaders.contains(path) { loaders.append(path) }
        hasSecureFirmware = fitting.contains {
            $0.features.contains("requires-smm") || $0.features.contains("secure-boot")
        }
    }
}

extension Domain {
    /// Puts the first firmware that fits in the place of the wish for one (`<os firmware=''>`).
    mutating func chooseFirmware(_ installed: [FirmwareDescriptor], nvramDirectory: String) throws(VirtError) {
        guard let wanted = os.firmware else { return }
        guard let found = installed.first(where: { $0.fits(self) }) else {
            throw VirtError(
                .operationFailed, .qemu, "Unable to find any firmware to satisfy '\(wanted.rawValue)'")
        }
        var loader = os.loader ?? OperatingSystem.Loader()
        switch found.device {
        case "flash":
            loader.type = .pflash
            loader.readonly = true
            loader.path = found.executable
            os.loader = loader
            useNVRAM(template: found.nvramTemplate, in: nvramDirectory)
        case "kernel": os.kernel = found.executable
        default:
            loader.type = .rom
            loader.path = found.executable
            os.loader = loader
        }
        if found.features.contains("requires-smm") {
            if features.smm == nil { features.smm = .init() }
            features.smm?.state = true
            os.loader?.secure = true
        }
        os.firmware = nil
    }

    private mutating func useNVRAM(template: String?, in directory: String) {
        guard os.loader?.stateless != true else { return }
        var file = os.nvram ?? OperatingSystem.NVRAMFile()
        if file.template == nil { file.template = template }
        if file.path == nil, file.type == nil { file.path = "\(directory)/\(name)_VARS.fd" }
        os.nvram = file
    }
}
