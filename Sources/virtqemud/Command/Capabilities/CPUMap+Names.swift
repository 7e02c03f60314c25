package import VirtCore
package import VirtModel

/// Architectures whose processors are only told apart by name: POWER.
extension CPUMap {
    /// What hosts have in common: the model that all of them are.
    package func baselineByName(_ cpus: [CPU]) throws(VirtError) -> CPU {
        let name = cpus.first?.model?.name ?? ""
        guard let model = model(name) else {
            throw VirtError(.internalError, .cpu, "Unknown CPU model \(name)")
        }
        var cpu = CPU()
        cpu.mode = .custom
        cpu.match = .exact
        cpu.model = CPU.Model(name: name, fallback: .forbid)
        for other in cpus {
            guard other.model?.name == name else { throw VirtError(.operationFailed, .cpu, "CPUs are incompatible") }
            guard let vendor = other.vendor else { continue }
            guard vendors.values.contains(vendor) else {
                throw VirtError(.operationFailed, .cpu, "Unknown CPU vendor \(vendor)")
            }
            if let own = model.vendor {
                guard own == vendor else {
                    throw VirtError(
                        .operationFailed, .cpu, "CPU vendor \(own) of model \(name) differs from vendor \(vendor)")
                }
            } else {
                guard cpu.vendor == nil || cpu.vendor == vendor else {
                    throw VirtError(.operationFailed, .cpu, "CPU vendors do not match")
                }
                cpu.vendor = vendor
            }
        }
        return cpu
    }
}
