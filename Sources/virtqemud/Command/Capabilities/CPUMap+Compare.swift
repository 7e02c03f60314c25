package import VirtCore
package import VirtModel

extension CPUMap {
    /// virCPUCompareResult.
    package enum Comparison: Int32, Sendable {
        case incompatible = 0
        case identical = 1
        case superset = 2
    }

    /// Whether a host can give a guest a processor, and why not (virConnectCompareCPU).
    ///
    /// - Parameter isStrict: the host may have nothing beyond what the guest wants.
    package func compare(
        host: CPU, guest: CPU, isStrict: Bool
    ) throws(VirtError) -> (result: Comparison, reason: String?) {
        if let arch = guest.arch, !Architecture.isX86(arch) {
            return (.incompatible, "CPU arch \(arch) does not match host arch")
        }
        if let vendor = guest.vendor, vendor != host.vendor {
            return (.incompatible, "host CPU vendor does not match required CPU vendor \(vendor)")
        }
        let offered = try features(of: host)
        let wanted = try Policies(guest, self)
        let forbidden = wanted.forbidden.intersection(offered)
        guard forbidden.isEmpty else {
            return (.incompatible, "Host CPU provides forbidden features: " + names(forbidden))
        }
        let missing = wanted.required.subtracting(offered)
        guard missing.isEmpty else {
            return (.incompatible, "Host CPU does not provide required features: " + names(missing))
        }
        let extra = offered.subtracting(wanted.required).subtracting(wanted.open)
        guard !extra.isEmpty else { return (.identical, nil) }
        if isStrict {
            return (.incompatible, "Host CPU does not strictly match guest CPU: Extra features: " + names(extra))
        }
        return (.superset, nil)
    }

    /// The features of a guest by what it says of them.
    private struct Policies {
        var required: Set<String>
        var forbidden: Set<String> = []
        /// Whatever the host has is fine: forced, optional, disabled.
        var open: Set<String> = []

        init(_ cpu: CPU, _ map: CPUMap) throws(VirtError) {
            required = try map.modelFeatures(cpu)
            var own: Set<String> = []
            for feature in cpu.features {
                let name = try map.known(feature.name)
                switch feature.policy ?? .require {
                case .require: own.insert(name)
                case .force, .optional, .disable: open.insert(name)
                case .forbid: forbidden.insert(name)
                }
            }
            required = required.union(own).subtracting(open).subtracting(forbidden)
        }
    }

    /// Everything that a processor has: its model's features, with those that it adds and without those that it lacks.
    /// What is optional may be anything, and need not be known.
    package func features(of cpu: CPU) throws(VirtError) -> Set<String> {
        var all = try modelFeatures(cpu)
        for feature in cpu.features {
            switch feature.policy ?? .require {
            case .disable, .forbid: all.remove(try known(feature.name))
            case .require, .force: all.insert(try known(feature.name))
            case .optional: continue
            }
        }
        return all
    }

    private func modelFeatures(_ cpu: CPU) throws(VirtError) -> Set<String> {
        guard let name = cpu.model?.name else { return [] }
        guard let model = model(name) else { throw VirtError(.internalError, .cpu, "Unknown CPU model \(name)") }
        return model.features
    }

    private func known(_ name: String) throws(VirtError) -> String {
        guard let found = featureName(name) else {
            throw VirtError(.internalError, .cpu, "Unknown CPU feature \(name)")
        }
        return found
    }

    private func names(_ features: Set<String>) -> String {
        self.features.map(\.name).filter(features.contains).joined(separator: ", ")
    }

    // MARK: Baseline

    /// The processor that all of some hosts have in common (virConnectBaselineCPU).
    ///
    /// - Parameters:
    ///   - offered: the models of the hypervisor that the guest will have; nil for any.
    ///   - limit: the features that the hypervisor has; nil for all.
    ///   - onlyMigratable: leaves out features that a guest would lose on another host.
    package func baseline(
        _ cpus: [CPU], offered: [QEMUCapabilities.CPU]? = nil, limit: Set<String>? = nil, onlyMigratable: Bool
    ) throws(VirtError) -> CPU {
        guard let first = cpus.first else { throw VirtError(.invalidArg, .cpu, "no CPUs given") }
        var common = try features(of: first)
        for cpu in cpus.dropFirst() { common.formIntersection(try features(of: cpu)) }
        if let limit { common.formIntersection(limit) }
        guard !common.isEmpty else { throw VirtError(.operationFailed, .cpu, "CPUs are incompatible") }
        var identity = CPUIdentity()
        identity.vendor = try commonVendor(cpus)
        let names = Set(cpus.compactMap(\.model?.name))
        guard var described = describe(common, identity, for: .guest, offered: offered, preferred: names) else {
            throw VirtError(.internalError, .cpu, "Cannot find suitable CPU model for given data")
        }
        let fixed = onlyMigratable ? Set(features.filter { !$0.isMigratable }.map(\.name)) : []
        described.required.removeAll { fixed.contains($0) || Self.notForGuests.contains($0) }
        var cpu = described.cpu(fallback: names == [described.model] ? .forbid : .allow)
        if cpus.contains(where: { $0.vendor == nil }) { cpu.vendor = nil }
        return cpu
    }

    /// What an operating system or the host's resource control has, never a guest's definition.
    private static let notForGuests: Set<String> = ["cmt", "mbm_total", "mbm_local", "osxsave", "ospke"]

    private func commonVendor(_ cpus: [CPU]) throws(VirtError) -> String? {
        var vendor: String?
        for (index, cpu) in cpus.enumerated() {
            let own = cpu.model?.name.flatMap(model)?.vendor
            if index > 0, let said = cpu.vendor, let own, said != own {
                throw VirtError(
                    .operationFailed, .cpu,
                    "CPU vendor \(own) of model \(cpu.model?.name ?? "") differs from vendor \(said)")
            }
            guard let name = cpu.vendor ?? (index > 0 ? own : nil) else { continue }
            guard vendors.values.contains(name) else {
                throw VirtError(.operationFailed, .cpu, "Unknown CPU vendor \(name)")
            }
            if let vendor, vendor != name { throw VirtError(.operationFailed, .cpu, "CPU vendors do not match") }
            vendor = name
        }
        return vendor
    }

    /// Names the features of the model one by one, all of them in alphabetical order.
    package func expand(_ cpu: inout CPU) {
        guard let model = cpu.model?.name.flatMap(model) else { return }
        for name in model.features where !cpu.features.contains(where: { $0.name == name }) {
            cpu.features.append(CPU.Feature(name, .require))
        }
        cpu.features.sort { $0.name < $1.name }
    }
}
