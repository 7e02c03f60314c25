import VirtCore
package import VirtXML

/// A parallel port (`<parallel>`).
package struct ParallelPort: GuestDevice {
    package var source = CharacterSource(.pty)
    package var port: Int32?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try source.mapType(&x)
        try source.map(&x)
        try x.valueElement("target", "port", &port)
        try info.map(&x)
    }
}

extension ParallelPort {
    static func complete(all devices: inout [ParallelPort], _ context: DomainCompletion) {
        for index in devices.indices where devices[index].port == nil {
            devices[index].port = (devices.compactMap(\.port).max() ?? -1) &+ 1
        }
    }

    static func validate(all devices: [ParallelPort], _ context: DomainValidation) throws(VirtError) {
        guard !devices.isEmpty, context.machine.isS390 || context.machine.isPSeries else { return }
        throw VirtError.unsupported("parallel ports are not supported", .qemu)
    }

    func validate(_ context: DomainValidation) throws(VirtError) { try source.validate(context) }
}

extension ParallelPort: PlainDevice {}
