import VirtCore
import VirtXML

extension StorageVolume {
    /// Which documents may leave the capacity out.
    package enum CapacityRule: Sendable {
        /// Only those that name a backing image.
        case neededWithoutBacking
        /// All: the volume is made from another one.
        case optional
    }

    /// Reads a definition.
    package static func parse(_ bytes: some Sequence<UInt8>, _ rule: CapacityRule) throws -> StorageVolume {
        let root = try XMLDocument.root("volume", of: bytes, name: "storage_volume_definition", domain: .storage)
        let volume: StorageVolume = try ElementReader.read(root)
        if volume.capacity == nil, rule == .neededWithoutBacking, volume.backing == nil {
            throw VirtError(.xmlError, .storage, "missing capacity element")
        }
        return volume
    }

    /// The volume as libvirt prints it.
    package func format() throws -> String { try ElementWriter.document("volume", self) }
}
