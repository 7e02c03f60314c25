/// What guests of one emulator, machine type and virtualisation type can have: `<domainCapabilities>`, which
/// virConnectGetDomainCapabilities returns.
package struct DomainCapabilities {
    private let facts: QEMUCapabilities
    private let emulator: String
    private let machine: MachineTraits
    private let maximumCPUs: UInt32
    private let isKVM: Bool
    private let host: HostSupport
    private let map: CPUMap?

    /// What the host adds to what QEMU can do.
    package struct HostSupport: Sendable {
        package var architecture: String
        /// Firmware images for the machine, in order of preference.
        package var loaders: [String] = []
        /// Kinds of firmware that can be chosen by feature.
        package var firmware: [String] = []
        package var hasSecureFirmware = false
        package var hasVFIO = false
        /// Versions of the TPM standard that the emulator has; empty where there is none.
        package var tpmVersions: [String] = []
        package var gicVersions: [String] = []

        package init(architecture: String) {
            self.architecture = architecture
        }
    }

    /// - Parameter machine: the canonical name.
    package init(
        _ facts: QEMUCapabilities, emulator: String, architecture: String, machine: QEMUCapabilities.Machine,
        kvm isKVM: Bool, host: HostSupport, map: CPUMap?
    ) {
        self.facts = facts
        self.emulator = emulator
        self.machine = MachineTraits(architecture: architecture, name: machine.name)
        maximumCPUs = machine.maximumCPUs
        self.isKVM = isKVM
        self.host = host
        self.map = map
    }

    private func has(_ flag: QEMUFlag) -> Bool { facts.has(flag) }

    /// The document.
    package func format() -> String {
        var text = DocumentText()
        text.element("domainCapabilities") { root in
            root.leaf("path", [], emulator)
            root.leaf("domain", [], isKVM ? "kvm" : "qemu")
            root.leaf("machine", [], machine.name)
            root.leaf("arch", [], machine.architecture)
            root.leaf("vcpu", [("max", String(maximumCPUs))])
            root.leaf("iothreads", [("supported", yesNo(has(.iothread)))])
            formatOS(&root)
            formatCPU(&root)
            root.element("memoryBacking", [("supported", "yes")]) { backing in
                backing.enumeration("sourceType", ["file", "anonymous"] + (has(.memoryBackendMemfd) ? ["memfd"] : []))
            }
            root.element("devices", []) { formatDevices(&$0) }
            root.element("features", []) { formatFeatures(&$0) }
        }
        return text.text
    }

    private func formatOS(_ text: inout DocumentText) {
        text.element("os", [("supported", "yes")]) { os in
            os.enumeration("firmware", host.firmware)
            os.element("loader", [("supported", "yes")]) { loader in
                for path in host.loaders { loader.leaf("value", [], path) }
                loader.enumeration("type", ["rom", "pflash"])
                loader.enumeration("readonly", ["yes", "no"])
                loader.enumeration("secure", host.hasSecureFirmware ? ["yes", "no"] : ["no"])
            }
        }
    }

    // MARK: Processor

    private func formatCPU(_ text: inout DocumentText) {
        text.element("cpu") { cpu in
            let passthrough = isKVM && facts.accelerator(kvm: true).hostCPU != nil
            mode("host-passthrough", passthrough, "hostPassthroughMigratable", &cpu)
            mode("maximum", has(.cpuMax), "maximumMigratable", &cpu)
            formatHostModel(&cpu)
            formatModels(&cpu)
        }
    }

    private func mode(_ name: String, _ supported: Bool, _ migratable: String, _ text: inout DocumentText) {
        guard supported else { return text.leaf("mode", [("name", name), ("supported", "no")]) }
        text.element("mode", [("name", name), ("supported", "yes")]) { mode in
            mode.enumeration(migratable, has(.cpuMigratable) || !machine.isX86 ? ["on", "off"] : ["off"])
        }
    }

    private func formatHostModel(_ text: inout DocumentText) {
        guard let model = map?.hostModel(facts, kvm: isKVM) else {
            return text.leaf("mode", [("name", "host-model"), ("supported", "no")])
        }
        text.element("mode", [("name", "host-model"), ("supported", "yes")]) { mode in
            mode.leaf("model", [("fallback", "forbid")], model.model)
            if let vendor = model.vendor { mode.leaf("vendor", [], vendor) }
            for name in model.required { mode.leaf("feature", [("policy", "require"), ("name", name)]) }
            for name in model.disabled { mode.leaf("feature", [("policy", "disable"), ("name", name)]) }
        }
    }

    private func formatModels(_ text: inout DocumentText) {
        let all = facts.accelerator(kvm: isKVM).cpus
        // Where libvirt has a list of models, it only offers those.
        let known = map.map { map in all.compactMap(map.named) } ?? all
        guard !known.isEmpty else { return text.leaf("mode", [("name", "custom"), ("supported", "no")]) }
        text.element("mode", [("name", "custom"), ("supported", "yes")]) { mode in
            for cpu in known {
                var attributes = [("usable", cpu.usable.map(yesNo) ?? "unknown")]
                if cpu.deprecated { attributes.append(("deprecated", "yes")) }
                attributes.append(("vendor", map?.model(cpu.name)?.vendor ?? "unknown"))
                mode.leaf("model", attributes, cpu.name)
            }
        }
    }

    // MARK: Devices

    private func formatDevices(_ text: inout DocumentText) {
        formatDisk(&text)
        supported("graphics", &text) { element in
            let types: [(String, QEMUFlag)] = [
                ("sdl", .sdl), ("vnc", .vnc), ("spice", .spice), ("egl-headless", .eglHeadless), ("dbus", .displayDbus),
            ]
            element.enumeration("type", types.filter { has($0.1) }.map(\.0))
        }
        formatVideo(&text)
        supported("hostdev", &text) { element in
            element.enumeration("mode", ["subsystem"])
            element.enumeration("startupPolicy", ["default", "mandatory", "requisite", "optional"])
            let types = (hasUSB ? ["usb"] : []) + ["pci"] + (has(.virtioScsiPci) ? ["scsi"] : [])
            element.enumeration("subsysType", types)
            element.enumeration("capsType", [])
            element.enumeration("pciBackend", host.hasVFIO ? ["default", "vfio"] : [])
        }
        supported("rng", &text, when: has(.virtioRng)) { element in
            element.enumeration("model", virtioModels)
            let backends: [(String, QEMUFlag)] = [("random", .rngRandom), ("egd", .rngEgd), ("builtin", .rngBuiltin)]
            element.enumeration("backendModel", backends.filter { has($0.1) }.map(\.0))
        }
        supported("filesystem", &text) { element in
            element.enumeration("driverType", ["path", "handle"] + (has(.vhostUserFs) ? ["virtiofs"] : []))
        }
        formatTPM(&text)
        supported("redirdev", &text, when: has(.usbRedir)) { $0.enumeration("bus", ["usb"]) }
        supported("channel", &text) { $0.enumeration("type", ["pty", "unix"] + (has(.spice) ? ["spicevmc"] : [])) }
    }

    private func supported(
        _ name: String, _ text: inout DocumentText, when isSupported: Bool = true, _ body: (inout DocumentText) -> Void
    ) {
        guard isSupported else { return text.leaf(name, [("supported", "no")]) }
        text.element(name, [("supported", "yes")], body)
    }

    private var virtioModels: [String] {
        ["virtio"] + (has(.virtioPciNonTransitional) ? ["virtio-transitional", "virtio-non-transitional"] : [])
    }

    private var hasUSB: Bool {
        let controllers: [QEMUFlag] = [
            .piix3UsbUhci, .piix4UsbUhci, .usbEhci, .ich9UsbEhci1, .pciOhci, .necUsbXhci, .qemuXhci,
        ]
        return controllers.contains(where: has)
    }

    private func formatDisk(_ text: inout DocumentText) {
        supported("disk", &text) { element in
            let floppy = machine.isPSeries ? [] : ["floppy"]
            element.enumeration("diskDevice", ["disk", "cdrom"] + floppy + ["lun"])
            var buses: [String] = []
            if machine.hasBuiltInIDE { buses.append("ide") }
            if !machine.isPSeries { buses.append("fdc") }
            if has(.virtioScsiPci) { buses.append("scsi") }
            buses.append("virtio")
            if has(.usbStorage) { buses.append("usb") }
            if has(.ich9Ahci) { buses.append("sata") }
            element.enumeration("bus", buses)
            element.enumeration("model", virtioModels)
        }
    }

    private func formatVideo(_ text: inout DocumentText) {
        supported("video", &text) { element in
            var models: [String] = []
            let flags: [(String, QEMUFlag)] = [
                ("vga", .vga), ("cirrus", .cirrusVga), ("vmvga", .vmwareSvga), ("qxl", .qxl),
            ]
            models += flags.filter { has($0.1) }.map(\.0)
            if has(.virtioGpu) || has(.virtioGpuCcw) { models.append("virtio") }
            models.append("none")
            if has(.bochsDisplay) { models.append("bochs") }
            if has(.ramfb) { models.append("ramfb") }
            element.enumeration("modelType", models)
        }
    }

    private func formatTPM(_ text: inout DocumentText) {
        let models: [(String, QEMUFlag)] = [
            ("tpm-tis", .tpmTis), ("tpm-crb", .tpmCrb), ("tpm-spapr", .tpmSpapr), ("spapr-tpm-proxy", .spaprTpmProxy),
        ]
        let known = models.filter { has($0.1) }.map(\.0)
        var backends: [String] = []
        if has(.tpmPassthrough) { backends.append("passthrough") }
        if has(.tpmEmulator), !host.tpmVersions.isEmpty { backends += ["emulator", "external"] }
        supported("tpm", &text, when: !known.isEmpty && !backends.isEmpty) { element in
            element.enumeration("model", known)
            element.enumeration("backendModel", backends)
            if backends.contains("emulator") { element.enumeration("backendVersion", host.tpmVersions) }
        }
    }

    // MARK: Features

    private func formatFeatures(_ text: inout DocumentText) {
        let gic = machine.isARMVirt ? facts.gic.map(\.version).sorted().map { String($0) } : []
        supported("gic", &text, when: !gic.isEmpty) { $0.enumeration("version", gic) }
        text.leaf("vmcoreinfo", [("supported", yesNo(has(.vmcoreinfo)))])
        text.leaf("genid", [("supported", yesNo(has(.vmgenid)))])
        text.leaf("backingStoreInput", [("supported", "yes")])
        text.leaf("backup", [("supported", yesNo(has(.incrementalBackup)))])
        if machine.isS390 { text.leaf("s390-pv", [("supported", "no")]) }
        formatEncryption(&text)
        guard machine.isX86, let hyperv = facts.hyperv else { return }
        supported("hyperv", &text, when: hyperv.supported) { $0.enumeration("features", hyperv.features) }
    }

    private func formatEncryption(_ text: inout DocumentText) {
        if let sev = facts.sev {
            text.element("sev", [("supported", "yes")]) { element in
                element.leaf("cbitpos", [], String(sev.cbitPosition))
                element.leaf("reducedPhysBits", [], String(sev.reducedPhysicalBits))
                element.leaf("maxGuests", [], String(sev.maximumGuests))
                element.leaf("maxESGuests", [], String(sev.maximumESGuests))
            }
        } else {
            text.leaf("sev", [("supported", "no")])
        }
        text.leaf("sgx", [("supported", yesNo(facts.sgx != nil))])
    }
}
