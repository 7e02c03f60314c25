package import VirtCore

/// A backup's disks made to match a guest's.
extension DomainBackup {
    /// Checks the disks that are named, adds the others, and fills in what is left open.
    ///
    /// - Parameter suffix: what names of files that are made up end with.
    package mutating func align(to domain: Domain, suffix: String) throws(VirtError) {
        let devices = domain.devices.disks
        guard !devices.isEmpty else {
            throw VirtError(.configUnsupported, .domain, "domain must have at least one disk to perform backup")
        }
        let takesAll = disks.isEmpty
        try checkNamed(devices, suffix)
        for device in devices {
            let name = device.target.dev ?? ""
            guard !disks.contains(where: { $0.name == name }) else { continue }
            var disk = DiskBackup(name: name, isWanted: takesAll && !device.source.isEmpty && !device.readonly)
            if disk.isWanted { try disk.assignStore(device, suffix) }
            disks.append(disk)
        }
        for index in disks.indices where disks[index].isWanted { settleMode(&disks[index]) }
    }

    private mutating func checkNamed(_ devices: [Disk], _ suffix: String) throws(VirtError) {
        var seen: Set<String> = []
        for index in disks.indices {
            let name = disks[index].name
            guard let device = devices.first(where: { $0.target.dev == name }) else {
                throw VirtError(.configUnsupported, .domain, "no disk named '\(name)'")
            }
            guard seen.insert(name).inserted else {
                throw VirtError(.configUnsupported, .domain, "disk '\(name)' specified twice")
            }
            if disks[index].mode == .incremental, disks[index].incremental == nil, incremental == nil {
                throw VirtError(
                    .configUnsupported, .domain,
                    "'incremental' backup mode of disk '\(name)' requires setting 'incremental' field for disk or"
                        + " backup")
            }
            if disks[index].isWanted { try disks[index].assignStore(device, suffix) }
        }
    }

    private func settleMode(_ disk: inout DiskBackup) {
        if disk.mode == nil { disk.mode = incremental != nil || disk.incremental != nil ? .incremental : .full }
        if disk.mode == .incremental, disk.incremental == nil { disk.incremental = incremental }
    }
}

extension DiskBackup {
    fileprivate mutating func assignStore(_ device: Disk, _ suffix: String) throws(VirtError) {
        guard !device.source.isEmpty else {
            throw VirtError(.configUnsupported, .domain, "disk '\(name)' has no media")
        }
        guard store.isEmpty else { return }
        guard device.source.type == .file, store.type == .file, let path = device.source.file else {
            throw VirtError(
                .configUnsupported, .domain, "refusing to generate file name for disk '\(name)'")
        }
        store.file = path + "." + suffix
    }
}
