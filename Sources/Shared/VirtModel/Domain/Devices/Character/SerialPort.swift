import VirtCore
package import VirtXML

/// A serial port (`<serial>`).
package struct SerialPort: GuestDevice {
    package enum Target: String, XMLEnum {
        case isa = "isa-serial"
        case usb = "usb-serial"
        case pci = "pci-serial"
        case spaprVIO = "spapr-vio-serial"
        case system = "system-serial"
        case sclp = "sclp-serial"
        case isaDebug = "isa-debug"
        case none
    }
    package enum Model: String, XMLEnum {
        case isaSerial = "isa-serial"
        case usbSerial = "usb-serial"
        case pciSerial = "pci-serial"
        case spaprVTY = "spapr-vty"
        case pl011
        case uart16550a = "16550a"
        case sclpConsole = "sclpconsole"
        case sclpLMConsole = "sclplmconsole"
        case isaDebugCon = "isa-debugcon"
        case none
    }

    package var source = CharacterSource(.pty)
    package var target: Target?
    package var port: Int32?
    package var model: Model?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try source.mapType(&x)
        try source.map(&x)
        try x.group("target") { x in
            try x.attribute("type", &target)
            try x.attribute("port", &port)
            try x.valueElement("model", "name", &model)
        }
        try info.map(&x)
    }
}

extension SerialPort {
    mutating func complete(_ context: DomainCompletion) throws(VirtError) {
        if target == nil || target == Target.none || target == .isa { target = Self.defaultTarget(context.machine) }
        if model == nil || model == Model.none, let target { model = Self.defaultModel(target, context.machine) }
        try source.completeUNIX(channel: nil, prefix: context.host.channelTargetDirectory)
    }

    static func complete(all devices: inout [SerialPort], _ context: DomainCompletion) {
        for index in devices.indices where devices[index].port == nil {
            devices[index].port = (devices.compactMap(\.port).max() ?? -1) &+ 1
        }
    }

    private static func defaultTarget(_ machine: MachineKind) -> Target? {
        if machine.isX86 { return .isa }
        if machine.isPSeries { return .spaprVIO }
        if machine.isARMVirt || machine.isRISCVVirt { return .system }
        return machine.isS390 ? .sclp : nil
    }

    private static func defaultModel(_ target: Target, _ machine: MachineKind) -> Model? {
        switch target {
        case .isa: .isaSerial
        case .usb: .usbSerial
        case .pci: .pciSerial
        case .spaprVIO: .spaprVTY
        case .system: machine.isARMVirt ? .pl011 : machine.isRISCVVirt ? .uart16550a : nil
        case .sclp: .sclpConsole
        case .isaDebug: .isaDebugCon
        case .none: nil
        }
    }

    /// Whether the port can be the guest's console.
    var canBeConsole: Bool {
        switch target {
        case .isa, .spaprVIO, .system, .sclp, .some(.none), nil: true
        case .pci, .usb, .isaDebug: false
        }
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        try source.validate(context)
        guard let target, let model else { return }
        let machine = context.machine
        let fits =
            switch target {
            case .isa, .isaDebug: machine.isX86
            case .spaprVIO: machine.isPSeries
            case .system: machine.isARM || machine.isRISCV
            case .sclp: machine.isS390
            case .usb, .pci, .none: true
            }
        guard !fits else { return }
        throw VirtError.unsupported(
            "Serial device with target type '\(target.rawValue)' and target model '\(model.rawValue)' not "
                + "compatible with guest architecture or machine type",
            .qemu)
    }
}

extension SerialPort: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { target == .pci ? PCIPolicy.legacy : [] }
    func hasZPCI(_ controllers: Set<UInt32>) -> Bool { false }
}
