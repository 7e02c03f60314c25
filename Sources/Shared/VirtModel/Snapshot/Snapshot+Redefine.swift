package import VirtCore

extension Snapshot {
    private var isOnline: Bool { state == .running || state == .paused }

    /// Refuses a document that says another thing about a snapshot than what is so.
    ///
    /// - Parameters:
    ///   - domain: the domain that the snapshot is of.
    ///   - other: the snapshot of that name, if there is one.
    ///   - isDiskOnly: VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY was asked for.
    package func validateRedefinition(
        of other: Snapshot?, domain uuid: UUID, isDiskOnly: Bool
    ) throws(VirtError) {
        guard !isDiskOnly || state == .diskSnapshot || isExternal else {
            throw VirtError(
                .invalidArg, .domainSnapshot, "disk-only flag for snapshot \(name) requires disk-snapshot state")
        }
        if let own = domain?.uuid, own != uuid {
            throw VirtError(
                .invalidArg, .domainSnapshot, "definition for snapshot \(name) must use uuid \(uuid)")
        }
        guard let other else { return }
        guard other.isOnline == isOnline else {
            throw VirtError(
                .invalidArg, .domainSnapshot,
                "cannot change between online and offline snapshot state in snapshot \(name)")
        }
        guard (other.state == .diskSnapshot) == (state == .diskSnapshot) else {
            throw VirtError(
                .invalidArg, .domainSnapshot, "cannot change between disk only and full system in snapshot \(name)")
        }
    }

    /// The location that the disks of an existing snapshot have by default.
    package var standardLocation: Location { state == .diskSnapshot || isExternal ? .external : .internal }
}
