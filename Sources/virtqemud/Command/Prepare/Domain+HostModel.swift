package import VirtCore
package import VirtModel

extension Domain {
    /// Puts a named model in the place of `host-model`, and of a model that is only the least a guest wants: the start
    /// settles which processor the guest really gets.
    package mutating func resolveHostModel(
        _ capabilities: QEMUCapabilities, kvm isKVM: Bool, map: CPUMap
    ) throws(VirtError) {
        guard let cpu, Architecture.isX86(capabilities.architecture) else { return }
        let isMinimum = (cpu.mode ?? .custom) == .custom && cpu.match == .minimum
        guard cpu.mode == .hostModel || isMinimum else { return }
        guard let host = map.hostModel(capabilities, kvm: isKVM) else {
            throw VirtError(
                .configUnsupported, .qemu,
                "cannot update guest CPU for \(capabilities.architecture) architecture: host CPU model is unknown")
        }
        var resolved = host.cpu(fallback: cpu.model?.fallback ?? .allow)
        resolved.topology = cpu.topology
        resolved.numa = cpu.numa
        resolved.cache = cpu.cache
        resolved.physicalAddress = cpu.physicalAddress
        resolved.check = cpu.check ?? .partial
        resolved.model?.vendorID = cpu.model?.vendorID
        for feature in cpu.features { resolved.set(feature) }
        self.cpu = resolved
    }
}

extension CPU {
    /// Gives a feature another policy, or adds it.
    fileprivate mutating func set(_ feature: Feature) {
        if let index = features.firstIndex(where: { $0.name == feature.name }) {
            features[index].policy = feature.policy
        } else {
            features.append(feature)
        }
    }
}
