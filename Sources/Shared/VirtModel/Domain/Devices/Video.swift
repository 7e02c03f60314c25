import VirtCore
package import VirtXML

/// A graphics card (`<video>`).
package struct Video: GuestDevice {
    package enum Model: String, XMLEnum {
        case `default`, vga, cirrus, vmvga, xen, vbox, qxl, parallels, virtio, gop, none, bochs, ramfb
    }
    package enum DriverName: String, XMLEnum { case qemu, vhostuser }
    package enum VGAConfiguration: String, XMLEnum { case io, on, off }

    package var driverName: DriverName?
    package var vgaConfiguration: VGAConfiguration?
    package var virtio = VirtioOptions()
    package var model = Model.default
    /// Memory sizes in KiB.
    package var ram: UInt32?
    package var vram: UInt32?
    package var vram64: UInt32?
    package var vgaMemory: UInt32?
    package var heads: UInt32?
    package var primary = false
    package var blob: Bool?
    package var acceleration: Acceleration?
    package var resolution: Resolution?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.group("driver") { x in
            try x.attribute("name", &driverName)
            try virtio.map(&x)
            try x.attribute("vgaconf", &vgaConfiguration)
        }
        if x.isReading, driverName == .qemu { driverName = nil }
        try x.group("model") { try mapModel(&$0) }
        try info.map(&x)
    }

    private mutating func mapModel<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &model, invalid: .unsupported("unknown video model"))
        try x.attribute("ram", &ram)
        try x.attribute("vram", &vram)
        try x.attribute("vram64", &vram64)
        try x.attribute("vgamem", &vgaMemory)
        try x.attribute("heads", &heads, invalid: .internal("cannot parse video heads"))
        try x.attribute("primary", &primary, default: false)
        try x.attribute("blob", &blob, .onOff)
        try x.element("acceleration", &acceleration)
        try x.element("resolution", &resolution)
    }

    package struct Acceleration: Equatable, Sendable, XMLMappable {
        package var accel2D: Bool?
        package var accel3D: Bool?
        package var renderNode: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("accel3d", &accel3D)
            try x.attribute("accel2d", &accel2D)
            try x.attribute("rendernode", &renderNode)
        }
    }

    package struct Resolution: Equatable, Sendable, XMLMappable {
        package var x: UInt32 = 0
        package var y: UInt32 = 0

        package init() {}

        package mutating func map<M: ElementMapper>(_ mapper: inout M) throws {
            try mapper.required("x", &x)
            try mapper.required("y", &y)
        }
    }
}

extension Video {
    /// Model and memory by the machine.
    mutating func complete(_ context: DomainCompletion) {
        if model == .default { model = Self.defaultModel(context.emulator, context.machine) }
        if model == .none { return }
        if model == .qxl, (vgaMemory ?? 0) == 0 { vgaMemory = 16 * 1024 }
        if model == .qxl, (ram ?? 0) == 0 { ram = defaultMemory }
        if (vram ?? 0) == 0 { vram = defaultMemory == 0 ? nil : defaultMemory }
        ram = ram.map(Self.roundedUp)
        vram = vram.map(Self.roundedUp)
        if heads == nil { heads = 1 }
    }

    private static func defaultModel(
        _ emulator: DomainCompletionContext.Emulator, _ machine: MachineKind
    ) -> Model {
        if machine.isPPC64 { return .vga }
        if machine.isARMVirt || machine.isRISCVVirt || machine.isS390 { return .virtio }
        if emulator.has("cirrus-vga") { return .cirrus }
        return emulator.has("VGA") ? .vga : .default
    }

    private var defaultMemory: UInt32 {
        switch model {
        case .vga, .cirrus, .vmvga, .bochs: 16 * 1024
        case .xen: 4 * 1024
        case .qxl: 64 * 1024
        case .default, .vbox, .parallels, .virtio, .gop, .none, .ramfb: 0
        }
    }

    private static func roundedUp(_ value: UInt32) -> UInt32 {
        guard value > 1 else { return value }
        let bits = UInt32.bitWidth - (value - 1).leadingZeroBitCount
        return bits >= UInt32.bitWidth ? value : 1 << UInt32(bits)
    }
}

extension Video {
    static func validate(all devices: [Video], _ context: DomainValidation) throws(VirtError) {
        if devices.count(where: \.primary) > 1 {
            throw VirtError.unsupported("Only one primary video device is supported")
        }
        if devices.count > 1, devices.contains(where: { $0.model == .none }) {
            throw VirtError.unsupported("a 'none' video type must be the only video device defined for the domain")
        }
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        if acceleration?.accel3D == true, model != .virtio {
            throw VirtError.unsupported("3d acceleration is supported only with 'virtio' video device", .qemu)
        }
        if driverName == .vhostuser, model != .virtio {
            throw VirtError.unsupported("'vhostuser' driver is only supported with 'virtio' device", .qemu)
        }
        let name = model.rawValue
        switch model {
        case .xen, .vbox, .parallels, .gop, .default:
            throw VirtError.unsupported("video type '\(name)' is not supported with QEMU", .qemu)
        case .vga, .cirrus, .vmvga:
            guard primary else {
                throw VirtError.unsupported("video type '\(name)' is only valid as primary video device", .qemu)
            }
        case .ramfb:
            if info.address != nil {
                throw VirtError.unsupported("address not supported for video type ramfb", .qemu)
            }
        case .qxl, .virtio, .bochs, .none: break
        }
    }
}

extension Video: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        switch model {
        case .virtio, .bochs: policy.express
        case .vga, .cirrus, .vmvga, .xen, .vbox, .qxl, .parallels: PCIPolicy.legacy
        case .default, .gop, .none, .ramfb: []
        }
    }

    func isVirtio(ccw: Bool) -> Bool { model == .virtio }
}
