import VirtCore
package import VirtXML

/// A source of random numbers (`<rng>`).
package struct RandomGenerator: GuestDevice {
    package enum Backend: String, XMLEnum { case random, egd, builtin }

    package var model = Disk.Model.virtio
    package var rateBytes: UInt32?
    package var ratePeriod: UInt32?
    package var backend = Backend.random
    package var device: String?
    package var source = CharacterSource(.udp)
    package var virtio = VirtioOptions()
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.group("rate") { x in
            try x.attribute("bytes", &rateBytes)
            try x.attribute("period", &ratePeriod)
        }
        if x.isReading, x.node?.children("backend").count != 1 {
            throw VirtError.malformed("only one RNG backend is supported")
        }
        try x.group("backend") { try mapBackend(&$0) }
        try x.group("driver") { try virtio.map(&$0) }
        try info.map(&x)
    }

    private mutating func mapBackend<M: ElementMapper>(_ x: inout M) throws {
        try x.required(
            "model", &backend, invalid: .unsupported("unknown RNG backend model"),
            missing: VirtError.malformed("missing RNG device backend model"))
        switch backend {
        case .random: try x.text(&device)
        case .egd:
            try source.mapType(&x)
            try source.map(&x)
        case .builtin: break
        }
    }
}

extension RandomGenerator {
    mutating func complete(_ context: DomainCompletion) {
        if backend == .random, device == nil { device = "/dev/random" }
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        if backend == .egd { try source.validate(context) }
    }
}

extension RandomGenerator: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { policy.virtio(isTransitional: model == .virtioTransitional) }
    func isVirtio(ccw: Bool) -> Bool { true }
}
