package import VirtCore
package import VirtModel

extension Domain {
    /// Settles which processor the guest really gets: a named model in the place of `host-model` and of one that is only
    /// the least a guest wants, what a model once had switched off, and nothing that QEMU does not know.
    ///
    /// Throws `cpuIncompatible` where the host lacks what the guest wants checked.
    package mutating func resolveProcessor(
        _ capabilities: QEMUCapabilities, kvm isKVM: Bool, map: CPUMap
    ) throws(VirtError) {
        guard var cpu, Architecture.isX86(capabilities.architecture) else { return }
        let mode = cpu.mode ?? .custom
        guard mode != .custom || cpu.model?.name != nil else { return }
        try cpu.checkFeatures(map)
        switch mode {
        case .hostPassthrough, .maximum: return
        case .custom:
            try cpu.checkHost(capabilities, kvm: isKVM, map)
            guard let name = cpu.model?.name, map.model(name) != nil else {
                throw VirtError(.internalError, .cpu, "Unknown CPU model \(cpu.model?.name ?? "")")
            }
            if cpu.match == .minimum { cpu = try cpu.onHost(capabilities, kvm: isKVM, map) }
            cpu.disableRemoved(map)
        case .hostModel:
            try cpu.checkHost(capabilities, kvm: isKVM, map)
            cpu = try cpu.onHost(capabilities, kvm: isKVM, map)
        }
        cpu.dropUnknown(capabilities.accelerator(kvm: isKVM))
        self.cpu = cpu
    }

    /// Refuses a model that QEMU hasn't got, where nothing tells what could take its place: everywhere but on x86.
    package func checkProcessorModel(_ capabilities: QEMUCapabilities, kvm isKVM: Bool) throws(VirtError) {
        let architecture = capabilities.architecture
        guard !Architecture.isX86(architecture), Architecture.hasProcessorModels(architecture), let cpu,
            cpu.mode ?? .custom == .custom, let name = cpu.model?.name
        else { return }
        let models = capabilities.accelerator(kvm: isKVM).cpus
        guard !models.isEmpty, !models.contains(where: { $0.name == name }) else { return }
        guard cpu.model?.fallback != .forbid else {
            throw VirtError(.configUnsupported, .cpu, "CPU model \(name) is not supported by hypervisor")
        }
        throw VirtError(.noSupport, .cpu, "cannot translate CPU model \(name) to a supported model")
    }
}

extension CPU {
    fileprivate func checkFeatures(_ map: CPUMap) throws(VirtError) {
        for feature in features where map.featureName(feature.name) == nil {
            throw VirtError(.configUnsupported, .cpu, "unknown CPU feature: \(feature.name)")
        }
    }

    /// `check='partial'`: the host, as QEMU has it, must have what the guest is to get.
    fileprivate func checkHost(
        _ capabilities: QEMUCapabilities, kvm isKVM: Bool, _ map: CPUMap
    ) throws(VirtError) {
        guard check == .partial, let host = map.hostModel(capabilities, kvm: isKVM) else { return }
        var offered = host.cpu(fallback: .allow)
        offered.vendor = host.vendor
        let (result, reason) = try map.compare(host: offered, guest: self, isStrict: match == .strict)
        guard result == .incompatible else { return }
        throw VirtError(.cpuIncompatible, .cpu, reason)
    }

    /// The host's own model with the guest's wishes.
    fileprivate func onHost(
        _ capabilities: QEMUCapabilities, kvm isKVM: Bool, _ map: CPUMap
    ) throws(VirtError) -> CPU {
        guard let host = map.hostModel(capabilities, kvm: isKVM) else {
            throw VirtError(
                .configUnsupported, .qemu,
                "cannot update guest CPU for \(capabilities.architecture) architecture: host CPU model is unknown")
        }
        var resolved = host.cpu(fallback: model?.fallback ?? .allow)
        resolved.topology = topology
        resolved.numa = numa
        resolved.cache = cache
        resolved.physicalAddress = physicalAddress
        resolved.check = check ?? .partial
        resolved.model?.vendorID = model?.vendorID
        for feature in features { resolved.set(feature) }
        return resolved
    }

    /// QEMU's older models still have what libvirt has taken out of its own.
    fileprivate mutating func disableRemoved(_ map: CPUMap) {
        guard let known = model?.name.flatMap(map.model) else { return }
        for feature in known.removed where !features.contains(where: { $0.name == feature }) {
            features.append(Feature(feature, .disable))
        }
    }

    /// What QEMU does not know it does not give either.
    fileprivate mutating func dropUnknown(_ accelerator: QEMUCapabilities.Accelerator) {
        guard let host = accelerator.hostCPU else { return }
        let known = Set(host.properties.map(\.name))
        features.removeAll { feature in
            guard feature.policy == .disable || feature.policy == .forbid else { return false }
            guard let name = CPUFeatureName.qemu(feature.name) else { return true }
            return !known.contains(name) && !known.contains(feature.name)
        }
    }

    /// Gives a feature another policy, or adds it.
    private mutating func set(_ feature: Feature) {
        if let index = features.firstIndex(where: { $0.name == feature.name }) {
            features[index].policy = feature.policy
        } else {
            features.append(feature)
        }
    }
}
