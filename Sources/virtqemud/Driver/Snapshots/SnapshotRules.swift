import Glibc
import VirtCore
import VirtModel

/// What QEMU can make a snapshot of: libvirt's rules for a new snapshot whose disks are aligned.
struct SnapshotRules {
    let isActive: Bool
    let reusesImages: Bool
    /// The guest's disks; those of the snapshot are in the same order.
    let domain: Domain

    /// Checks the whole, and gives new images their format. Looks at files: blocks.
    func check(_ snapshot: inout Snapshot) throws(VirtError) {
        for index in snapshot.disks.indices where domain.devices.disks.indices.contains(index) {
            let disk = domain.devices.disks[index]
            switch snapshot.disks[index].location {
            case .internal?: try checkInternal(snapshot.disks[index], disk, snapshot)
            case .external?: try checkExternal(&snapshot.disks[index], disk)
            case .no?, .manual?: break
            case nil: throw VirtError(.internalError, .qemu, "unexpected code path")
            }
        }
        try checkWhole(snapshot)
    }

    private func checkWhole(_ snapshot: Snapshot) throws(VirtError) {
        let memory = snapshot.memory.location
        let isInternal = snapshot.disks.contains { $0.location == .internal }
        let isExternal = snapshot.disks.contains { $0.location == .external }
        guard isInternal || isExternal || memory != .no else {
            throw VirtError(.configUnsupported, .qemu, "nothing selected for snapshot")
        }
        // The memory needs an image to be kept in, and no image may be left behind.
        guard memory != .internal || isInternal, !isInternal || !leavesOut(snapshot) else {
            throw VirtError(
                .configUnsupported, .qemu,
                "internal and full system snapshots require all disks to be selected for snapshot")
        }
        guard snapshot.state != .diskSnapshot || isExternal else {
            throw VirtError(
                .configUnsupported, .qemu,
                "disk-only snapshots require at least one disk to be selected for snapshot")
        }
        guard !(isInternal && isExternal), !(memory == .internal && isExternal),
            !(memory == .external && isInternal)
        else {
            throw VirtError(
                .configUnsupported, .qemu,
                "mixing internal and external targets for a snapshot is not yet supported")
        }
        guard !isInternal || domain.os.loader?.type != .pflash else {
            throw VirtError(
                .operationUnsupported, .qemu,
                "internal snapshots of a VM with pflash based firmware are not supported")
        }
    }

    /// A disk that the guest writes to has no part in the snapshot.
    private func leavesOut(_ snapshot: Snapshot) -> Bool {
        zip(snapshot.disks, domain.devices.disks).contains { own, disk in
            own.location == .no && !disk.source.isEmpty && !disk.readonly
        }
    }

    // MARK: Internal

    private func checkInternal(_ own: Snapshot.Disk, _ disk: Disk, _ snapshot: Snapshot) throws(VirtError) {
        if snapshot.state == .diskSnapshot, isActive {
            throw VirtError(
                .configUnsupported, .qemu,
                "active qemu domains require external disk snapshots; disk \(own.name) requested internal")
        }
        if !isActive { try Self.checkLocal(disk.source, "internal inactive") }
        if let format = disk.driver?.type, format != "qcow2", !disk.source.isEmpty {
            throw VirtError(
                .configUnsupported, .qemu,
                "internal snapshot for disk \(own.name) unsupported for storage type \(format)")
        }
    }

    private static func checkLocal(_ source: DiskSource, _ kind: String) throws(VirtError) {
        switch source.type {
        case .file, .block, .volume: return
        case .network:
            throw VirtError(
                .internalError, .qemu,
                "\(kind) snapshots are not supported on 'network' disks using"
                    + " '\(source.network.protocol?.rawValue ?? "none")' protocol")
        case .dir, .nvme, .vhostuser, .vhostvdpa:
            throw VirtError(
                .internalError, .qemu, "\(kind) snapshots are not supported on '\(source.type.rawValue)' disks")
        }
    }

    // MARK: External

    private func checkExternal(_ own: inout Snapshot.Disk, _ disk: Disk) throws(VirtError) {
        let format = own.format ?? "qcow2"
        own.format = format
        guard format == "qcow2" || format == "qed" else {
            throw VirtError(
                .configUnsupported, .qemu,
                "external snapshot format for disk \(own.name) is unsupported: \(format)")
        }
        if own.metadataCache?.maximumSize ?? 0 > 0, format != "qcow2" {
            throw VirtError(
                .configUnsupported, .qemu,
                "metadata cache max size control is supported only with qcow2 images")
        }
        try isActive ? checkActive(own, disk) : checkInactive(own, disk)
        if own.source.type == .file || own.source.type == .block { try checkFile(own) }
    }

    private func checkInactive(_ own: Snapshot.Disk, _ disk: Disk) throws(VirtError) {
        try Self.checkLocal(disk.source, "external inactive")
        switch own.source.type {
        case .file, .block: return
        case .network, .dir, .volume, .nvme, .vhostuser, .vhostvdpa:
            throw VirtError(
                .internalError, .qemu,
                "external inactive snapshots are not supported on '\(own.source.type.rawValue)' disks")
        }
    }

    private func checkActive(_ own: Snapshot.Disk, _ disk: Disk) throws(VirtError) {
        guard disk.device != .lun else {
            throw VirtError(
                .configUnsupported, .qemu,
                "external active snapshots are not supported on scsi passthrough devices")
        }
        switch own.source.type {
        case .file, .block, .network: return
        case .dir, .volume, .nvme, .vhostuser, .vhostvdpa:
            throw VirtError(
                .internalError, .qemu,
                "external active snapshots are not supported on '\(own.source.type.rawValue)' disks")
        }
    }

    private func checkFile(_ own: Snapshot.Disk) throws(VirtError) {
        guard let path = own.source.path else { return }
        var status = stat()
        if unsafe stat(path, &status) != 0 {
            let code = errno
            guard code == ENOENT else { throw .system(code, .qemu, "unable to stat for disk \(own.name): \(path)") }
            if reusesImages { throw .system(code, .qemu, "missing existing file for disk \(own.name): \(path)") }
            guard own.source.type != .block else {
                throw VirtError(
                    .operationUnsupported, .qemu, "block device snapshot target '\(path)' doesn't exist")
            }
            return
        }
        let wanted = own.source.type == .block ? S_IFBLK : S_IFREG
        guard status.st_mode & S_IFMT == wanted else {
            throw VirtError(
                .configUnsupported, .qemu,
                "mismatch between configured type for snapshot disk '\(own.name)' and the type of existing file"
                    + " '\(path)'")
        }
        guard reusesImages || own.source.type != .file || status.st_size == 0 else {
            throw VirtError(
                .configUnsupported, .qemu,
                "external snapshot file for disk \(own.name) already exists and is not a block device: \(path)")
        }
    }
}
