import VirtCore
package import VirtXML

extension Snapshot {
    /// A disk's part in a snapshot (`<disk>` within `<disks>`).
    package struct Disk: Equatable, Sendable, XMLMappable {
        /// The target's name; in a document also the path of the disk's image.
        package var name = ""
        /// Nil: the domain's definition decides, or the kind of snapshot.
        package var location: Location?
        /// The new image of an external one.
        package var source = DiskSource()
        /// The new image's format.
        package var format: String?
        package var metadataCache: DiskDriver.MetadataCache?
        /// The snapshot's deletion began and has not ended.
        package var isBeingDeleted = false

        package init() {}
        package init(_ name: String, _ location: Location?) {
            self.name = name
            self.location = location
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required(
                "name", &name,
                missing: VirtError(.internalError, .domainSnapshot, "missing name from disk snapshot element"))
            try x.attribute("snapshot", &location)
            if x.isReading || !source.isEmpty || format != nil {
                try x.attribute("type", &source.type)
                try x.group("driver") {
                    try $0.attribute("type", &format)
                    try $0.element("metadata_cache", &metadataCache)
                }
                try x.element("source", &source)
            }
            try x.presence("snapshotDeleteInProgress", &isBeingDeleted)
            if x.isReading { try settle() }
        }

        private mutating func settle() throws(VirtError) {
            // A policy for the time of the start says nothing about a new image.
            source.startupPolicy = nil
            switch source.type {
            case .volume, .dir:
                throw .malformed("unsupported disk snapshot type '\(source.type.rawValue)'", .domainSnapshot)
            case .file, .block, .network, .nvme, .vhostuser, .vhostvdpa: break
            }
            if let format, !Self.formats.contains(format) {
                throw .unsupported("unknown disk snapshot driver '\(format)'", .domainSnapshot)
            }
            if source.type != .network, let path = source.path, !path.hasPrefix("/") {
                throw .malformed("disk snapshot image path '\(path)' must be absolute", .domainSnapshot)
            }
            if location == nil, source.path != nil || format != nil { location = .external }
        }

        /// virStorageFileFormat.
        private static let formats: Set<String> = [
            "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2",
            "qed", "vmdk",
        ]
    }

    /// Some part is in a file of its own.
    package var isExternal: Bool { memory.location == .external || disks.contains { $0.location == .external } }
}
