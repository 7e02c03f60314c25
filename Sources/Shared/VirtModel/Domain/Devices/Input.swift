import VirtCore
package import VirtXML

/// A mouse, keyboard, tablet or passed-through input device (`<input>`).
package struct Input: GuestDevice {
    package enum Kind: String, XMLEnum { case mouse, tablet, keyboard, passthrough, evdev }
    package enum Bus: String, XMLEnum { case ps2, usb, xen, parallels, virtio, none }
    package enum Model: String, XMLEnum {
        case virtio
        case virtioTransitional = "virtio-transitional"
        case virtioNonTransitional = "virtio-non-transitional"
    }

    package var type = Kind.mouse
    package var bus: Bus?
    package var model: Model?
    package var virtio = VirtioOptions()
    package var source: Source?
    package var info = DeviceInfo()

    package init() {}

    package init(_ type: Kind, _ bus: Bus) {
        self.type = type
        self.bus = bus
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required(
            "type", &type, invalid: .unsupported("unknown input device type"),
            missing: VirtError(.internalError, .domain, "missing input device type"))
        try x.attribute("bus", &bus, invalid: .unsupported("unknown input bus type"))
        try x.attribute("model", &model)
        try x.group("driver") { try virtio.map(&$0) }
        try x.group("source") { try mapSource(&$0) }
        try info.map(&x)
    }

    /// The host's device has another attribute's name for each type.
    private mutating func mapSource<M: ElementMapper>(_ x: inout M) throws {
        guard x.isReading || source != nil else { return }
        var mapped = source ?? Source()
        if type == .evdev {
            try x.attribute("dev", &mapped.path)
            try x.attribute("grab", &mapped.grab)
            try x.attribute("grabToggle", &mapped.grabToggle)
            try x.attribute("repeat", &mapped.repeats, .onOff)
        } else {
            try x.attribute("evdev", &mapped.path)
        }
        source = mapped
    }

    package struct Source: Equatable, Sendable {
        package enum Grab: String, XMLEnum { case all }
        package enum GrabToggle: String, XMLEnum {
            case ctrlCtrl = "ctrl-ctrl"
            case altAlt = "alt-alt"
            case shiftShift = "shift-shift"
            case metaMeta = "meta-meta"
            case scrolllock
            case ctrlScrolllock = "ctrl-scrolllock"
        }
        /// The event device on the host.
        package var path: String?
        package var grab: Grab?
        package var repeats: Bool?
        package var grabToggle: GrabToggle?

        package init() {}
    }
}

extension Input {
    mutating func complete(_ context: DomainCompletion) {
        guard bus == nil else { return }
        if type == .mouse || type == .keyboard, context.machine.isX86 {
            bus = .ps2
        } else if context.machine.isS390 || type == .passthrough {
            bus = .virtio
        } else if type == .evdev {
            bus = Bus?.none
        } else {
            bus = .usb
        }
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        if let model, bus != .virtio {
            throw VirtError.unsupported(
                "only bus 'virtio' is supported for input model '\(model.rawValue)'", .domain)
        }
        if let model, model != .virtio {
            throw VirtError.unsupported(
                "virtio (non-)transitional models are not supported for input type=\(type.rawValue)", .qemu)
        }
        if bus == .xen { throw VirtError(.internalError, .domain, "unsupported input bus xen") }
        if bus == .ps2, type != .mouse, type != .keyboard {
            throw VirtError(.internalError, .domain, "ps2 bus does not support \(type.rawValue) input device")
        }
        if type == .evdev, let bus, bus != Bus.none {
            throw VirtError.unsupported("input evdev doesn't support bus element", .domain)
        }
        if type == .evdev || type == .passthrough, source?.path == nil {
            throw VirtError.malformed("missing evdev path for input device passthrough")
        }
    }
}

extension Input: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        bus == .virtio ? policy.virtio(isTransitional: model == .virtioTransitional) : []
    }

    func isVirtio(ccw: Bool) -> Bool { bus == .virtio }
}
