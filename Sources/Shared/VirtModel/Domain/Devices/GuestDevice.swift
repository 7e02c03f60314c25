import VirtCore
import VirtXML

/// A kind of device: how its element is read and written (`map`), what libvirt fills in, and what it refuses. The calls
/// are made for each device of each kind in libvirt's order, by `DomainCompletion` and `DomainValidation`. A kind
/// without rules of a sort leaves the method out.
protocol GuestDevice: Equatable, Sendable, XMLMappable {
    /// Fills in what the definition leaves to libvirt, and refuses what can't be completed. What is filled in is guest
    /// ABI.
    mutating func complete(_ context: DomainCompletion) throws(VirtError)

    /// Fills in what the devices of the kind settle among themselves, when each is complete: numbers, shared limits.
    static func complete(all devices: inout [Self], _ context: DomainCompletion) throws(VirtError)

    /// Refuses what the host or QEMU can't do, with libvirt's code and text. The whole domain is complete.
    func validate(_ context: DomainValidation) throws(VirtError)

    /// Refuses too many devices of the kind, or several that don't go together, before each is looked at.
    static func validate(all devices: [Self], _ context: DomainValidation) throws(VirtError)
}

extension GuestDevice {
    mutating func complete(_ context: DomainCompletion) throws(VirtError) {}
    static func complete(all devices: inout [Self], _ context: DomainCompletion) throws(VirtError) {}
    func validate(_ context: DomainValidation) throws(VirtError) {}
    static func validate(all devices: [Self], _ context: DomainValidation) throws(VirtError) {}
}
