import QEMUCommand
import VirtCore
import VirtOS

/// The firmware images that are installed, as their descriptor files tell (QEMU's `firmware.json`).
struct FirmwareDescriptor: Sendable, Equatable {
    var isUEFI: Bool
    var isBIOS: Bool
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
        guard let file = mapping?["executable"]?["filename"]?.string ?? mapping?["filename"]?.string else { return nil }
        executable = file
        nvramTemplate = mapping?["nvram-template"]?["filename"]?.string
        features = (value["features"]?.array ?? []).compactMap(\.string)
        targets = (value["targets"]?.array ?? []).compactMap { target in
            guard let architecture = target["architecture"]?.string else { return nil }
            return (architecture, (target["machines"]?.array ?? []).compactMap(\.string))
        }
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

    /// All descriptors in the order of their file names; a file of /etc hides one of the same name in /usr. Blocks.
    static func all() -> [FirmwareDescriptor] {
        var paths: [String: String] = [:]
        for directory in ["/usr/share/qemu/firmware", "/etc/qemu/firmware"] {
            for name in SysFile.names(directory) where name.hasSuffix(".json") { paths[name] = "\(directory)/\(name)" }
        }
        return paths.sorted { $0.key < $1.key }.compactMap { entry in
            guard let bytes = try? FileSystem.read(entry.value, limit: 1 << 20), !bytes.isEmpty,
                let value = try? JSONParser.parse(bytes)
            else { return nil }
            return FirmwareDescriptor(value)
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
