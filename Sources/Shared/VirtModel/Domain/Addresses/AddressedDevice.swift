/// A device that is plugged in somewhere, as far as the assignment of addresses asks.
protocol AddressedDevice: GuestDevice {
    var info: DeviceInfo { get set }
    /// What it needs of a PCI slot; empty when it is not a PCI device.
    func needs(_ policy: PCIPolicy) -> PCIConnection
    /// Whether it is a function of the PIIX3 chip, which is there anyway.
    func isPIIX3(at address: PCIAddress) -> Bool
    /// A virtio device that can be on the machine's own bus: s390's channels with `ccw`, else the memory bus.
    func isVirtio(ccw: Bool) -> Bool
    /// A device of the host that is on s390's channels.
    var isVFIOCCW: Bool { get }
    /// Whether it has identifiers besides its PCI address on s390.
    ///
    /// - Parameter controllers: the PCI controllers that have them.
    func hasZPCI(_ controllers: Set<UInt32>) -> Bool
}

extension AddressedDevice {
    func isPIIX3(at address: PCIAddress) -> Bool { false }
    func isVirtio(ccw: Bool) -> Bool { false }
    var isVFIOCCW: Bool { false }
    func hasZPCI(_ controllers: Set<UInt32>) -> Bool { true }
}

/// A device that is on another bus than PCI.
protocol PlainDevice: AddressedDevice {}

extension PlainDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { [] }
    func hasZPCI(_ controllers: Set<UInt32>) -> Bool { false }
}
