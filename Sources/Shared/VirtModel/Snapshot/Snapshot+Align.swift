package import VirtCore
import VirtXML

extension Snapshot {
    /// Makes the list of disks the domain's: one entry for each of its disks, in its order, named by target, each with a
    /// location. Internal snapshots take in all disks; no other choice is then accepted.
    ///
    /// - Parameters:
    ///   - existing: the definition to go by where the snapshot has none.
    ///   - standard: the location of disks for which nobody says one.
    ///   - isRegularFile: whether a path is a file beside which a new one can be made.
    package mutating func alignDisks(
        existing: Domain? = nil, standard: Location, isRegularFile: (String) -> Bool
    ) throws(VirtError) {
        guard let domain = domain ?? existing else {
            throw VirtError(.internalError, .domainSnapshot, "missing domain in snapshot")
        }
        let known = domain.devices.disks
        guard disks.count <= known.count else {
            throw .unsupported("too many disk snapshot requests for domain", .domainSnapshot)
        }
        var wanted: [String: Disk] = [:]
        for var disk in disks {
            let target = try Self.find(disk.name, in: known)
            let name = target.target.dev ?? ""
            guard wanted[name] == nil else {
                throw .unsupported("disk '\(disk.name)' specified twice", .domainSnapshot)
            }
            try disk.settle(target, standard: standard)
            disk.name = name
            wanted[name] = disk
        }
        disks = known.map { disk in
            let name = disk.target.dev ?? ""
            if let disk = wanted[name] { return disk }
            return Disk(name, disk.hasNothingToKeep ? .no : disk.snapshot ?? standard)
        }
        try nameImages(known, isRegularFile)
    }

    private static func find(_ name: String, in disks: [VirtModel.Disk]) throws(VirtError) -> VirtModel.Disk {
        let found =
            name.hasPrefix("/") ? disks.filter { $0.source.path == name } : disks.filter { $0.target.dev == name }
        // A path that several disks have names none of them.
        guard let first = found.first, found.count == 1 || !name.hasPrefix("/") else {
            throw .unsupported("no disk named '\(name)'", .domainSnapshot)
        }
        return first
    }

    /// New images that nobody named stand beside the present ones, with the snapshot's name for a suffix.
    private mutating func nameImages(_ known: [VirtModel.Disk], _ isRegularFile: (String) -> Bool) throws(VirtError) {
        for index in disks.indices where disks[index].location == .external && disks[index].source.path == nil {
            let disk = disks[index].name
            guard disks[index].source.type == .file else {
                throw .unsupported(
                    "cannot generate external snapshot name for disk '\(disk)' on a"
                        + " '\(disks[index].source.type.rawValue)' device", .domainSnapshot)
            }
            guard let path = known[index].source.path else {
                throw .unsupported(
                    "cannot generate external snapshot name for disk '\(disk)' without source", .domainSnapshot)
            }
            guard isRegularFile(path) else {
                throw .unsupported(
                    "source for disk '\(disk)' is not a regular file; refusing to generate external snapshot name",
                    .domainSnapshot)
            }
            let file = Self.withoutSuffix(path) + "." + name
            if let other = disks[..<index].first(where: { $0.source.path == file }) {
                throw .unsupported(
                    "cannot generate external snapshot name for disk '\(disk)': collision with disk"
                        + " '\(other.name)'", .domainSnapshot)
            }
            disks[index].source.file = file
        }
    }

    private static func withoutSuffix(_ path: String) -> String {
        guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return path }
        return String(path[..<dot])
    }
}

extension Snapshot.Disk {
    /// Decides the location, or refuses the one that was asked for.
    fileprivate mutating func settle(_ disk: Disk, standard: Snapshot.Location) throws(VirtError) {
        let isUniform = standard == .internal
        if let location {
            let isLeftOut = location == .no && (disk.snapshot == .no || disk.hasNothingToKeep)
            guard !isUniform || location == standard || isLeftOut else {
                throw .unsupported(
                    "disk '\(name)' must use snapshot mode '\(standard.rawValue)'", .domainSnapshot)
            }
        } else if let own = disk.snapshot, !isUniform || own == .no {
            location = own
        } else {
            location = standard
        }
        if let path = source.path, location != .external {
            throw .unsupported(
                "file '\(path)' for disk '\(name)' requires use of external snapshot mode", .domainSnapshot)
        }
    }
}

extension Disk {
    /// An empty drive, or one that the guest can't write to.
    fileprivate var hasNothingToKeep: Bool { source.isEmpty || readonly }
}
