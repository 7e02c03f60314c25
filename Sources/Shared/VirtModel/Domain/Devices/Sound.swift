import VirtCore
package import VirtXML

/// A sound card (`<sound>`).
package struct Sound: GuestDevice {
    package enum Model: String, XMLEnum { case sb16, es1370, pcspk, ac97, ich6, ich9, usb, ich7 }

    package var model = Model.ich6
    package var multichannel: Bool?
    package var codecs: [Codec] = []
    package var audioID: UInt32?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.attribute("multichannel", &multichannel)
        try x.elements("codec", &codecs)
        try x.valueElement("audio", "id", &audioID)
        try info.map(&x)
    }

    package struct Codec: Equatable, Sendable, XMLMappable {
        package enum Kind: String, XMLEnum { case duplex, micro, output }
        package var type = Kind.duplex

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.required("type", &type) }
    }
}

extension Sound {
    func validate(_ context: DomainValidation) throws(VirtError) {
        guard model == .ich9, !context.emulator.has("ich9-intel-hda") else { return }
        throw VirtError.unsupported(
            "The ich9-intel-hda audio controller is not supported in this QEMU binary", .qemu)
    }
}

extension Sound: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection {
        switch model {
        case .es1370, .ac97, .ich6, .ich9: PCIPolicy.legacy
        case .sb16, .pcspk, .usb, .ich7: []
        }
    }
}
