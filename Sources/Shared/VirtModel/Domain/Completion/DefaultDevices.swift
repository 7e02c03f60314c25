import VirtCore
import VirtXML

/// The devices that a machine has or gets whether or not the definition names them.
private struct MachineDefaults {
    var usb = true
    var usbModel: ControllerModel?
    var sata = false
    var root: ControllerModel?
    var memballoon = true
    var usbInput = false
    var panic = false

    init(_ machine: MachineKind, has: (String) -> Bool) {
        if machine.isX86 {
            usb = !machine.isISAPC
            if machine.isI440FX { root = .pciRoot }
            if machine.isQ35 { setQ35(has) }
        } else if machine.isARM {
            usb = false
            memballoon = false
            if machine.isARMVirt, has("gpex-pcihost") { root = .pcieRoot }
            if machine.machine == "versatilepb" { root = .pciRoot }
        } else if machine.isPPC64 {
            root = .pciRoot
            usbInput = true
            panic = machine.isPSeries
        } else if machine.isRISCV {
            usb = false
            if machine.isRISCVVirt, has("gpex-pcihost") { root = .pcieRoot }
        } else if machine.isS390 {
            usb = false
            panic = true
            if has("zpci") { root = .pciRoot }
        } else {
            setOther(machine.arch)
        }
    }

    private mutating func setQ35(_ has: (String) -> Bool) {
        root = .pcieRoot
        sata = true
        if has("qemu-xhci") {
            usbModel = .qemuXHCI
        } else if has("nec-usb-xhci") {
            usbModel = .necXHCI
        } else if has("ich9-usb-ehci1") {
            usbModel = .ich9EHCI1
        } else {
            usb = false
        }
    }

    private mutating func setOther(_ arch: String) {
        switch arch {
        case "alpha", "ppc", "ppcemb", "sh4", "sh4eb", "sparc64": root = .pciRoot
        case "sparc":
            usb = false
            memballoon = false
        default: break
        }
    }
}

extension DomainCompletion {
    func addDefaultDevices(_ domain: inout Domain) throws {
        let defaults = MachineDefaults(machine) { emulator.has($0) }
        if machine.isX86 {
            domain.addInput(.mouse, .ps2)
            domain.addInput(.keyboard, .ps2)
        }
        if defaults.usb, domain.controller(.usb, 0) == nil { domain.addUSBController(defaults.usbModel) }
        if defaults.sata { domain.addController(.sata, 0, nil) }
        try addRoot(defaults.root, &domain)
        if defaults.memballoon, domain.devices.memballoon == nil { domain.devices.memballoon = MemoryBalloon() }
        if defaults.usbInput, !domain.devices.graphics.isEmpty { addUSBInput(&domain) }
        if defaults.panic { addPanic(&domain) }
        addAudio(&domain)
    }

    private func addRoot(_ root: ControllerModel?, _ domain: inout Domain) throws {
        guard let root else { return }
        guard let existing = domain.controller(.pci, 0) else {
            domain.addController(.pci, 0, root)
            return
        }
        guard existing.model != root else { return }
        throw VirtError.malformed(
            "The PCI controller with index='0' must be model='\(root.rawValue)' for this machine type, but "
                + "model='\(existing.model?.rawValue ?? "(null)")' was found instead",
            .qemu)
    }

    private func addUSBInput(_ domain: inout Domain) {
        let hasTablet = domain.devices.inputs.contains { $0.type == .tablet && $0.bus == .usb }
        domain.addInput(.keyboard, .usb)
        if !hasTablet { domain.addInput(.mouse, .usb) }
    }

    private func addPanic(_ domain: inout Domain) {
        let own: Panic.Model = machine.isS390 ? .s390 : .pseries
        let isThere = domain.devices.panics.contains { $0.model == nil || $0.model == own }
        if !isThere { domain.devices.panics.append(Panic()) }
    }

    /// Sound goes to the display's client, or nowhere.
    private func addAudio(_ domain: inout Domain) {
        guard domain.devices.audios.isEmpty else { return }
        var backend: Audio.Kind?
        for graphics in domain.devices.graphics {
            switch graphics.type {
            case .vnc: backend = host.vncAllowsHostAudio ? nil : Audio.Kind.none
            case .spice: backend = .spice
            case .sdl: backend = nil
            case .rdp, .desktop, .eglHeadless, .dbus: break
            }
        }
        if domain.devices.graphics.isEmpty, !host.headlessAllowsHostAudio { backend = Audio.Kind.none }
        guard let backend else { return }
        var audio = Audio()
        audio.type = backend
        domain.devices.audios = [audio]
    }

    func addImplicitVideo(_ domain: inout Domain) {
        guard domain.devices.videos.isEmpty, !domain.devices.graphics.isEmpty else { return }
        domain.devices.videos = [Video()]
    }

    /// The first video device is the primary one.
    func completePrimaryVideo(_ domain: inout Domain) {
        if let chosen = domain.devices.videos.firstIndex(where: \.primary), chosen != 0 {
            domain.devices.videos.insert(domain.devices.videos.remove(at: chosen), at: 0)
        }
        guard var first = domain.devices.videos.first else { return }
        if first.model == Video.Model.none {
            let alias = first.info.alias
            first = Video()
            first.model = .none
            first.info.alias = alias
        } else {
            first.primary = true
            first.complete(self)
        }
        domain.devices.videos[0] = first
    }
}

extension Domain {
    fileprivate mutating func addInput(_ type: Input.Kind, _ bus: Input.Bus) {
        // One without a bus will be on the bus of its kind.
        guard !devices.inputs.contains(where: { $0.type == type && ($0.bus ?? bus) == bus }) else { return }
        devices.inputs.append(Input(type, bus))
    }

    /// An EHCI controller comes with its three companions.
    fileprivate mutating func addUSBController(_ model: ControllerModel?) {
        devices.controllers.append(Controller(.usb, index: 0, model: model))
        guard model == .ich9EHCI1 else { return }
        for (companion, port) in [(ControllerModel.ich9UHCI1, 0), (.ich9UHCI2, 2), (.ich9UHCI3, 4)] {
            var controller = Controller(.usb, index: 0, model: companion)
            controller.info.masterStartPort = UInt32(port)
            devices.controllers.append(controller)
        }
    }
}
