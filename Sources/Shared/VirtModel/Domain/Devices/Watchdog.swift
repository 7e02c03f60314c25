import VirtCore
package import VirtXML

/// A watchdog (`<watchdog>`).
package struct Watchdog: GuestDevice {
    package enum Model: String, XMLEnum { case i6300esb, ib700, diag288, itco }
    package enum Action: String, XMLEnum {
        case reset, shutdown, poweroff, pause, dump, none
        case injectNMI = "inject-nmi"
    }

    package var model = Model.i6300esb
    package var action = Action.reset
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.attribute("action", &action)
        try info.map(&x)
    }
}

extension Watchdog {
    static func validate(all devices: [Watchdog], _ context: DomainValidation) throws(VirtError) {
        guard devices.count < 2 else {
            throw VirtError(.internalError, .domain, "only a single watchdog device is supported")
        }
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        switch model {
        case .i6300esb: break
        case .ib700:
            if info.address != nil {
                throw VirtError.unsupported(
                    "ib700 model of watchdog does not support configuring the address", .qemu)
            }
        case .diag288:
            if !context.machine.isS390 {
                throw VirtError.unsupported("diag288 model of watchdog is allowed for s390 and s390x only", .qemu)
            }
        case .itco: throw VirtError.unsupported("unknown watchdog model 'itco'", .domain)
        }
    }
}

extension Watchdog: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { model == .i6300esb ? PCIPolicy.legacy : [] }
}
