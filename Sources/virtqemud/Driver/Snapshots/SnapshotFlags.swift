import VirtCore

/// The flags of virDomainSnapshotCreateXML.
struct SnapshotCreateFlags: Sendable {
    let rawValue: UInt32

    private func has(_ bit: UInt32) -> Bool { rawValue & bit != 0 }

    var isRedefinition: Bool { has(1) }
    /// A redefined snapshot becomes the current one.
    var isCurrent: Bool { has(2) }
    var hasNoMetadata: Bool { has(4) }
    /// The guest ends when its snapshot is made.
    var halts: Bool { has(8) }
    var isDiskOnly: Bool { has(16) }
    /// The new images exist already.
    var reusesImages: Bool { has(32) }
    /// The guest agent freezes file systems meanwhile.
    var quiesces: Bool { has(64) }
    // 128, atomic: all disks or none, which is always so.
    /// The guest runs on while its memory is written.
    var isLive: Bool { has(256) }
    var isValidated: Bool { has(512) }

    init(_ flags: UInt32) throws(VirtError) {
        try flags.checkFlags(1023, "qemuSnapshotCreateXML")
        rawValue = flags
        guard !quiesces || isDiskOnly else {
            throw VirtError(
                code: .invalidArg, domain: .qemu,
                verbatim: "Flag 'VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY' is required by flag"
                    + " 'VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE'")
        }
        guard !isLive || !isRedefinition else {
            throw VirtError(
                code: .invalidArg, domain: .qemu,
                verbatim: "Flags 'VIR_DOMAIN_SNAPSHOT_CREATE_LIVE' and 'VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE' are"
                    + " mutually exclusive")
        }
    }
}

/// The flags of virDomainRevertToSnapshot.
struct SnapshotRevertFlags: Sendable {
    let rawValue: UInt32

    private func has(_ bit: UInt32) -> Bool { rawValue & bit != 0 }

    /// The guest runs afterwards, whatever it did then.
    var runs: Bool { has(1) }
    /// The guest is paused afterwards.
    var pauses: Bool { has(2) }
    /// Risks are taken.
    var isForced: Bool { has(4) }
    var resetsNVRAM: Bool { has(8) }

    init(_ flags: UInt32) throws(VirtError) {
        try flags.checkFlags(15, "qemuSnapshotRevert")
        rawValue = flags
        guard !runs || !pauses else {
            throw VirtError(
                code: .invalidArg, domain: .qemu,
                verbatim: "Flags 'VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING' and 'VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED' are"
                    + " mutually exclusive")
        }
    }
}

/// The flags of virDomainSnapshotDelete.
struct SnapshotDeleteFlags: Sendable {
    let rawValue: UInt32

    private func has(_ bit: UInt32) -> Bool { rawValue & bit != 0 }

    var deletesChildren: Bool { has(1) }
    /// The images keep what they have.
    var isMetadataOnly: Bool { has(2) }
    /// The snapshot itself stays.
    var isChildrenOnly: Bool { has(4) }

    init(_ flags: UInt32) throws(VirtError) {
        try flags.checkFlags(7, "qemuSnapshotDelete")
        rawValue = flags
    }
}
