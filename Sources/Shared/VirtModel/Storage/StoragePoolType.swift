import VirtXML

/// The kind of a pool: what its space is made of (virStoragePoolType), in libvirt's order.
package enum StoragePoolType: String, StorageEnum, CaseIterable {
    case dir, fs, netfs, logical, disk, iscsi
    case iscsiDirect = "iscsi-direct"
    case scsi, mpath, rbd, sheepdog, gluster, zfs, vstorage

    /// The number that errors and list filters use.
    package var number: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    /// What a pool's `<source>` consists of.
    package struct SourceParts: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        static let host = Self(rawValue: 1)
        static let device = Self(rawValue: 2)
        static let dir = Self(rawValue: 4)
        static let adapter = Self(rawValue: 8)
        static let name = Self(rawValue: 16)
        static let initiator = Self(rawValue: 32)
        /// Reached over the network, without a place in this host's files.
        static let network = Self(rawValue: 64)
    }

    var sourceParts: SourceParts {
        switch self {
        case .dir, .mpath: []
        case .fs, .disk: .device
        case .netfs: [.host, .dir]
        case .logical, .zfs: [.name, .device]
        case .iscsi: [.host, .device, .initiator]
        case .iscsiDirect: [.host, .device, .network, .initiator]
        case .scsi: .adapter
        case .rbd, .sheepdog: [.host, .network, .name]
        case .gluster: [.host, .network, .name, .dir]
        case .vstorage: .name
        }
    }

    /// The words of `<source><format type=''/>`, the default first; none: the pool has no such element.
    package var sourceFormats: [String] {
        switch self {
        case .fs:
            [
                "auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf", "gfs", "gfs2", "vfat", "hfs+", "xfs", "ocfs2",
                "vmfs",
            ]
        case .netfs: ["auto", "nfs", "glusterfs", "cifs"]
        case .logical: ["unknown", "lvm2"]
        case .disk: ["unknown", "dos", "dvh", "gpt", "mac", "bsd", "pc98", "sun", "lvm2"]
        case .dir, .iscsi, .iscsiDirect, .scsi, .mpath, .rbd, .sheepdog, .gluster, .zfs, .vstorage: []
        }
    }

    package var defaultSourceFormat: String? { self == .logical ? "lvm2" : sourceFormats.first }

    /// Whether volumes are image files with a format of their own.
    package var holdsImageFiles: Bool {
        switch self {
        case .dir, .fs, .netfs, .gluster, .vstorage: true
        case .logical, .disk, .iscsi, .iscsiDirect, .scsi, .mpath, .rbd, .sheepdog, .zfs: false
        }
    }

    /// Whether the pool is printed with a place in this host's files.
    var hasTarget: Bool {
        switch self {
        case .rbd, .sheepdog, .gluster, .iscsiDirect: false
        case .dir, .fs, .netfs, .logical, .disk, .iscsi, .scsi, .mpath, .zfs, .vstorage: true
        }
    }
}
