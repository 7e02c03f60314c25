package import VirtModel

/// Fills `DomainCapabilities`: what guests of one emulator, machine type and virtualisation type can have.
package struct DomainCapabilityFacts {
    private typealias Section = DomainCapabilities.Section
    private typealias Values = DomainCapabilities.Values

    private let facts: QEMUCapabilities
    private let emulator: String
    private let machine: MachineTraits
    private let maximumCPUs: UInt32
    private let isKVM: Bool
    private let host: HostSupport
    private let map: CPUMap?

    /// What the host adds to what QEMU can do.
    package struct HostSupport: Sendable {
        /// Firmware images for the machine, in order of preference.
        package var loaders: [String] = []
        /// Kinds of firmware that can be chosen by feature.
        package var firmware: [String] = []
        package var hasSecureFirmware = false
        package var hasVFIO = false
        /// How many processors KVM gives a guest; nil where it is not asked.
        package var maximumVCPUs: UInt32?
        package var hasTPMEmulator = false
        /// Versions of the TPM standard that the emulator has.
        package var tpmVersions: [String] = []

        package init() {}
    }

    /// - Parameters:
    ///   - emulator: as the client named it.
    ///   - map: libvirt's models of the architecture; nil where it has none.
    package init(
        _ facts: QEMUCapabilities, emulator: String, architecture: String, machine: QEMUCapabilities.Machine,
        kvm isKVM: Bool, host: HostSupport, map: CPUMap?
    ) {
        self.facts = facts
        self.emulator = emulator
        self.machine = MachineTraits(architecture: architecture, name: machine.name)
        maximumCPUs = min(machine.maximumCPUs, host.maximumVCPUs ?? .max)
        self.isKVM = isKVM
        self.host = host
        self.map = map
    }

    private func has(_ flag: QEMUFlag) -> Bool { facts.has(flag) }

    /// The names whose flags QEMU has.
    private func names(_ flags: [(String, QEMUFlag)]) -> [String] { flags.filter { has($0.1) }.map(\.0) }

    package var document: DomainCapabilities {
        var document = DomainCapabilities()
        document.path = emulator
        document.domain = isKVM ? "kvm" : "qemu"
        document.machine = machine.name
        document.arch = machine.architecture
        document.maximumCPUs = maximumCPUs
        document.iothreads = has(.iothread)
        document.os = Section("os", enums: [Values("firmware", host.firmware)])
        document.loader = Section(
            "loader", values: host.loaders,
            enums: [
                Values("type", ["rom", "pflash"]), Values("readonly", ["yes", "no"]),
                Values("secure", host.hasSecureFirmware ? ["yes", "no"] : ["no"]),
            ])
        document.cpu.modes = modes
        let sources = ["file", "anonymous"] + names([("memfd", .memoryBackendMemfd)])
        document.memoryBacking = Section("memoryBacking", enums: [Values("sourceType", sources)])
        document.devices = devices
        document.features = features
        return document
    }

    // MARK: Processor

    private var modes: [DomainCapabilities.Mode] {
        let passthrough = isKVM && facts.kvm.hostCPU != nil
        let choices = has(.cpuMigratable) || !machine.isX86 ? ["on", "off"] : ["off"]
        return [
            mode("host-passthrough", passthrough, Values("hostPassthroughMigratable", choices)),
            mode("maximum", has(.cpuMax), Values("maximumMigratable", ["on", "off"])), hostModel, custom,
        ]
    }

    private func mode(_ name: String, _ supported: Bool, _ migratable: Values) -> DomainCapabilities.Mode {
        var mode = DomainCapabilities.Mode(name, supported: supported)
        if supported { mode.enums = [migratable] }
        return mode
    }

    private var hostModel: DomainCapabilities.Mode {
        guard let description = map?.hostModel(facts, kvm: isKVM, onlyMigratable: false) else {
            return DomainCapabilities.Mode("host-model", supported: false)
        }
        let cpu = description.cpu(fallback: .forbid)
        var model = DomainCapabilities.HostModel()
        model.model = cpu.model
        model.vendor = cpu.vendor
        model.features = cpu.features
        var mode = DomainCapabilities.Mode("host-model", supported: true)
        mode.hostModel = model
        return mode
    }

    /// Where libvirt has a list of models, it only offers those; ARM and s390 take QEMU's names as they are.
    private var custom: DomainCapabilities.Mode {
        let all = Architecture.hasProcessorModels(machine.architecture) ? facts.accelerator(kvm: isKVM).cpus : []
        let known = map.map { map in all.compactMap(map.named) } ?? all
        var mode = DomainCapabilities.Mode("custom", supported: !known.isEmpty)
        mode.models = known.map { cpu in
            let usable: DomainCapabilities.Model.Usability = cpu.usable.map { $0 ? .yes : .no } ?? .unknown
            let vendor = map?.model(cpu.name)?.vendor ?? "unknown"
            return DomainCapabilities.Model(
                cpu.name, usable: usable, vendor: vendor, deprecated: cpu.deprecated ? true : nil)
        }
        return mode
    }

    // MARK: Devices

    private var devices: [Section] {
        let graphics = names([
            ("sdl", .sdl), ("vnc", .vnc), ("spice", .spice), ("egl-headless", .eglHeadless), ("dbus", .displayDbus),
        ])
        let filesystems = ["path", "handle"] + names([("virtiofs", .vhostUserFs)])
        let channels = ["pty", "unix"] + names([("spicevmc", .spice)])
        return [
            disk, Section("graphics", enums: [Values("type", graphics)]), video, hostdev,
            rng, Section("filesystem", enums: [Values("driverType", filesystems)]), tpm,
            has(.usbRedir)
                ? Section("redirdev", enums: [Values("bus", ["usb"])]) : Section("redirdev", supported: false),
            Section("channel", enums: [Values("type", channels)]),
        ]
    }

    private var virtioModels: [String] {
        ["virtio"] + (has(.virtioPciNonTransitional) ? ["virtio-transitional", "virtio-non-transitional"] : [])
    }

    private var disk: Section {
        let floppy = machine.isPSeries ? [] : ["floppy"]
        var buses = machine.hasBuiltInIDE ? ["ide"] : []
        if !machine.isPSeries { buses.append("fdc") }
        buses += ["scsi", "virtio"] + names([("usb", .usbStorage), ("sata", .ich9Ahci)])
        return Section(
            "disk",
            enums: [
                Values("diskDevice", ["disk", "cdrom"] + floppy + ["lun"]), Values("bus", buses),
                Values("model", virtioModels),
            ])
    }

    private var video: Section {
        var models = names([("vga", .vga), ("cirrus", .cirrusVga), ("vmvga", .vmwareSvga), ("qxl", .qxl)])
        if has(.virtioGpu) || has(.virtioGpuCcw) { models.append("virtio") }
        models += ["none"] + names([("bochs", .bochsDisplay), ("ramfb", .ramfb)])
        return Section("video", enums: [Values("modelType", models)])
    }

    private var hostdev: Section {
        let controllers: [QEMUFlag] = [
            .piix3UsbUhci, .piix4UsbUhci, .usbEhci, .ich9UsbEhci1, .pciOhci, .necUsbXhci, .qemuXhci,
        ]
        let usb = controllers.contains(where: has) ? ["usb"] : []
        return Section(
            "hostdev",
            enums: [
                Values("mode", ["subsystem"]),
                Values("startupPolicy", ["default", "mandatory", "requisite", "optional"]),
                Values("subsysType", usb + ["pci", "scsi"]), Values("capsType", []),
                Values("pciBackend", host.hasVFIO ? ["default", "vfio"] : []),
            ])
    }

    private var rng: Section {
        let backends = names([("random", .rngRandom), ("egd", .rngEgd), ("builtin", .rngBuiltin)])
        return Section(
            "rng", enums: [Values("model", has(.virtioRng) ? virtioModels : []), Values("backendModel", backends)])
    }

    private var tpm: Section {
        let models = names([
            ("tpm-tis", .tpmTis), ("tpm-crb", .tpmCrb), ("tpm-spapr", .tpmSpapr), ("spapr-tpm-proxy", .spaprTpmProxy),
        ])
        var backends = names([("passthrough", .tpmPassthrough)])
        let hasEmulator = has(.tpmEmulator) && host.hasTPMEmulator
        if hasEmulator { backends += ["emulator", "external"] }
        guard !models.isEmpty, !backends.isEmpty else { return Section("tpm", supported: false) }
        let versions = hasEmulator && !host.tpmVersions.isEmpty ? [Values("backendVersion", host.tpmVersions)] : []
        return Section("tpm", enums: [Values("model", models), Values("backendModel", backends)] + versions)
    }

    // MARK: Features

    private var features: DomainCapabilities.FeatureSupport {
        var features = DomainCapabilities.FeatureSupport()
        let gic = machine.isARMVirt ? facts.gic.map(\.version).sorted().map { String($0) } : []
        if !gic.isEmpty { features.gic = Section("gic", enums: [Values("version", gic)]) }
        features.vmcoreinfo = has(.vmcoreinfo)
        features.genid = has(.vmgenid)
        features.backingStoreInput = true
        features.backup = has(.incrementalBackup)
        if machine.isS390 { features.s390PV = false }
        features.sevSupported = facts.sev != nil
        features.sgxSupported = facts.sgx != nil
        if machine.isX86, let hyperv = facts.hyperv {
            features.hyperv =
                hyperv.supported
                ? Section("hyperv", enums: [Values("features", hyperv.features)]) : Section("hyperv", supported: false)
        }
        return features
    }
}
