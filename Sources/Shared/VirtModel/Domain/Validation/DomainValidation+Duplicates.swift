import VirtCore
import VirtXML

extension DomainValidation {
    /// No two disks with a name, and no two drives at a place.
    func checkDuplicates() throws {
        let disks = devices.disks
        var names: [String: Int] = [:]
        for index in disks.indices {
            guard let name = disks[index].target.dev, let first = names.updateValue(index, forKey: name)
            else { continue }
            throw VirtError.malformed(
                "target '\(name)' duplicated for disk sources '\(disks[first].source.path ?? "<null>")' and "
                    + "'\(disks[index].source.path ?? "<null>")'"
            )
        }
        var places: Set<String> = []
        for index in disks.indices {
            guard case .drive(let address) = disks[index].info.address, let bus = disks[index].target.bus
            else { continue }
            if !places.insert(bus.rawValue + address.text).inserted {
                let name = disks[index].target.dev ?? ""
                throw VirtError.unsupported(
                    "Found duplicate drive address for disk with target name '\(name)' \(address.text)")
            }
        }
        try checkDuplicateHostdevs(places)
        try checkAliases()
    }

    private func checkDuplicateHostdevs(_ disks: Set<String>) throws {
        var places: Set<String> = []
        for (index, hostdev) in devices.hostdevs.enumerated() {
            if devices.hostdevs[..<index].contains(where: { $0.isSameDevice(as: hostdev) }) {
                throw VirtError.malformed("Hostdev already exists in the domain configuration")
            }
            guard hostdev.type == .scsi, case .drive(let address) = hostdev.info.address else { continue }
            if disks.contains("scsi" + address.text) {
                throw VirtError.unsupported("SCSI host address \(address.text) in use by another SCSI disk")
            }
            if !places.insert(address.text).inserted {
                throw VirtError.unsupported("SCSI host address \(address.text) in use by another SCSI host device")
            }
        }
    }

    private func checkAliases() throws {
        var seen: Set<String> = []
        var duplicate: String?
        domain.eachInfo { info in
            if let alias = info.alias, !seen.insert(alias).inserted, duplicate == nil { duplicate = alias }
        }
        if let duplicate { throw VirtError.malformed("non unique alias detected: \(duplicate)") }
    }
}
