import VirtCore
package import VirtXML

/// A console (`<console>`); the first one may be the first serial port under another name.
package struct Console: GuestDevice {
    package enum Target: String, XMLEnum { case serial, virtio, xen, uml, openvz, sclp, sclplm, none }

    package var source = CharacterSource(.pty)
    package var target: Target?
    package var port: Int32?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try source.mapType(&x)
        try mapTTY(&x)
        try source.map(&x)
        try x.group("target") { x in
            try x.attribute("type", &target)
            try x.attribute("port", &port)
        }
        try info.map(&x)
    }

    /// The pseudo terminal of a running guest's first console stands on the element too.
    private func mapTTY<M: ElementMapper>(_ x: inout M) throws {
        guard x.isWriting, source.type == .pty, port ?? 0 == 0, !x.flags.contains(.inactive) else { return }
        var tty = source.path
        try x.attribute("tty", &tty)
    }
}

extension Console {
    mutating func complete(_ context: DomainCompletion) {
        if target == nil || target == Target.none { target = .serial }
    }

    static func complete(all devices: inout [Console], _ context: DomainCompletion) {
        for index in devices.indices { devices[index].port = Int32(clamping: index) }
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        try source.validate(context)
        guard target == .sclp, !context.machine.isS390 else { return }
        throw VirtError.unsupported("sclpconsole is not supported in this QEMU binary", .qemu)
    }
}

extension Console: PlainDevice {}
