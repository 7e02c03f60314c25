import VirtCore
package import VirtXML

/// A channel between host and guest (`<channel>`).
package struct Channel: GuestDevice {
    package enum Target: String, XMLEnum { case guestfwd, virtio, xen }
    package enum State: String, XMLEnum { case connected, disconnected }

    package var source = CharacterSource(.pty)
    package var target = Target.virtio
    package var name: String?
    /// Whether the guest's end is open; only in a running guest.
    package var state: State?
    package var address: String?
    package var port: UInt32?
    package var info = DeviceInfo()

    package init() {}

    /// The name of the socket in the guest's own directory that a channel without a path has.
    package var socketName: String {
        if let name { return name }
        var place = VirtioSerialAddress()
        if case .virtioSerial(let own) = info.address { place = own }
        let parts = [place.controller, place.bus, place.port].map { ($0 < 10 ? "0" : "") + String($0) }
        return "vioser-" + parts.joined(separator: "-") + ".sock"
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try source.mapType(&x)
        try source.map(&x)
        try x.group("target") { try mapTarget(&$0) }
        try info.map(&x)
    }

    private mutating func mapTarget<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &target)
        switch target {
        case .guestfwd:
            try x.attribute("address", &address)
            try x.attribute("port", &port)
        case .virtio, .xen:
            try x.attribute("name", &name)
            if !x.flags.contains(.inactive) { try x.attribute("state", &state) }
        }
    }
}

extension Channel {
    mutating func complete(_ context: DomainCompletion) throws(VirtError) {
        try source.completeUNIX(channel: name ?? "", prefix: context.host.channelTargetDirectory)
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        // libvirt makes up the paths of channels.
        if source.type == .unix, target == .virtio { return }
        try source.validate(context)
    }
}

extension Channel: PlainDevice {}
