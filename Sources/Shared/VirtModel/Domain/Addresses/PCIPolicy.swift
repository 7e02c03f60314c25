/// Which kind of slot devices want on a guest's machine.
struct PCIPolicy {
    /// For devices that are Express where the machine is.
    let express: PCIConnection
    static let legacy: PCIConnection = [.pciDevice, .autoAssign]

    init(hasExpressRoot: Bool) {
        express = hasExpressRoot ? [.pcieDevice, .autoAssign] : Self.legacy
    }

    /// For virtio devices.
    func virtio(isTransitional: Bool) -> PCIConnection { isTransitional ? Self.legacy : express }
}
