import VirtCore
package import VirtXML

/// A device that tells of a guest's crash (`<panic>`).
package struct Panic: GuestDevice {
    package enum Model: String, XMLEnum { case `default`, pseries, isa, hyperv, s390, pvpanic }

    package var model: Model?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("model", &model)
        try info.map(&x)
    }
}

extension Panic {
    mutating func complete(_ context: DomainCompletion) {
        guard model ?? .default == .default else { return }
        model = context.machine.isPSeries ? .pseries : context.machine.isS390 ? .s390 : .isa
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        if let model, model == .s390 || model == .pseries, info.address != nil {
            throw VirtError.unsupported(
                "setting the panic device address is not supported for model '\(model.rawValue)'", .qemu)
        }
        switch model {
        case .s390:
            if !context.machine.isS390 {
                throw VirtError.unsupported("only S390 guests support panic device of model 's390'", .qemu)
            }
        case .pseries:
            if !context.machine.isPSeries {
                throw VirtError.unsupported("only pSeries guests support panic device of model 'pseries'", .qemu)
            }
        case .isa:
            if let address = info.address, address.kind != .isa {
                throw VirtError.unsupported("panic is supported only with ISA address type", .qemu)
            }
        case .pvpanic: throw VirtError.unsupported("unknown panic model 'pvpanic'", .domain)
        case .hyperv, .default, nil: break
        }
    }
}

extension Panic: PlainDevice {}
