import VirtXML

/// A storage volume (`<volume>`).
package struct StorageVolume: Equatable, Sendable {
    /// What a volume is on its host (virStorageVolType), in libvirt's order.
    package enum Kind: String, StorageEnum, CaseIterable {
        case file, block, dir, network, netdir, ploop

        /// The number that STORAGE_VOL_GET_INFO answers.
        package var number: Int32 { Int32(Self.allCases.firstIndex(of: self) ?? 0) }
    }

    package var kind = Kind.file
    package var name = ""
    /// Unique among all volumes of the host: the path.
    package var key: String?
    /// Bytes as a guest sees them; nil: a new volume takes its backing's or its source's.
    package var capacity: UInt64?
    /// Bytes that the volume takes, or is to take, on the host; nil: as many as its capacity.
    package var allocation: UInt64?
    /// Bytes from the file's start to its end; 0: not known.
    package var physical: UInt64 = 0
    package var target = Target()
    /// The image that this one is an overlay of.
    package var backing: Target?

    package init() {}

    /// An image and what is known of it.
    package struct Target: Equatable, Sendable {
        package var path = ""
        package var format = StorageFileFormat.raw
        package var permissions: StoragePermissions?
        package var timestamps: StorageTimestamps?
        package var encryption: StorageVolumeEncryption?
        /// The qcow2 level, "0.10" or "1.1".
        package var compat: String?
        /// Copy on write is to be turned off for the file.
        package var noCopyOnWrite = false
        /// Bytes; 0: not said.
        package var clusterSize: UInt64 = 0
        /// nil: not said; empty: none of those that the level knows.
        package var features: [StorageFileFeature]?

        package init() {}
    }
}

/// When a file was accessed, changed and born (`<timestamps>`).
package struct StorageTimestamps: Equatable, Sendable {
    package struct Time: Equatable, Sendable {
        package var seconds: Int64
        package var nanoseconds: Int64

        package init(seconds: Int64, nanoseconds: Int64) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }

        /// `1795450265.627904001`, without a fraction that is zero.
        var text: String {
            guard nanoseconds != 0 else { return String(seconds) }
            let digits = String(nanoseconds)
            return "\(seconds)." + String(repeating: "0", count: max(0, 9 - digits.utf8.count)) + digits
        }
    }

    package var access: Time
    package var modification: Time
    package var change: Time
    /// nil: the file system does not say; printed as 0.
    package var birth: Time?

    package init(access: Time, modification: Time, change: Time, birth: Time? = nil) {
        (self.access, self.modification, self.change, self.birth) = (access, modification, change, birth)
    }
}
