import VirtCore

/// How the guests' disks are locked ("lock_manager" of qemu.conf).
enum LockManager: Sendable, Equatable {
    /// Not at all: libvirt's default.
    case none
    /// By virtlockd.
    case daemon(LockConfiguration)

    /// Where libvirt's own plugins are: what its error names.
    private static let plugins = "/usr/lib/libvirt/lock-driver"

    init(name: String?, configuration: () throws(VirtError) -> ConfigFile) throws(VirtError) {
        switch name {
        case nil, "nop": self = .none
        case "lockd": self = .daemon(try LockConfiguration(configuration()))
        case let other?:
            throw .system(2, .locking, "Plugin \(Self.plugins)/\(other).so not accessible")
        }
    }
}

/// The settings of qemu-lockd.conf.
struct LockConfiguration: Sendable, Equatable {
    /// Every disk is locked; else only what `<lease>` elements say.
    var locksDisks = true
    /// A guest with disks that it may write, but without leases, is refused.
    var requiresLeases = false
    /// Where the locks of files are taken; nil: on the files themselves.
    var fileSpace: String?
    /// Where the locks of logical volumes are taken, by their UUIDs.
    var volumeSpace: String?
    /// Where the locks of SCSI disks are taken, by their identifiers.
    var scsiSpace: String?

    init() {}

    init(_ file: ConfigFile) throws(VirtError) {
        locksDisks = try file.bool("auto_disk_leases") ?? true
        requiresLeases = try file.bool("require_lease_for_disks") ?? !locksDisks
        fileSpace = try file.string("file_lockspace_dir")
        volumeSpace = try file.string("lvm_lockspace_dir")
        scsiSpace = try file.string("scsi_lockspace_dir")
    }
}
