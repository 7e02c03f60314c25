import VirtCore
import VirtWire

/// What a locked file in systemd's store is.
struct StoredResource: XDRCodable {
    /// Most bytes that are read of a memory file.
    static let longest = 1 << 20
    static let longestText = 65_536
    private static let mostOwners = 65_536

    /// "" is the direct space.
    let space: String
    let name: String
    let path: String
    let flags: UInt32
    let owners: [LockHolder]

    init(_ resource: LockResource, in space: String) {
        self.space = space
        name = resource.name
        path = resource.path
        flags = resource.flags.rawValue
        owners = resource.owners
    }

    init(from reader: inout XDRReader) throws(VirtError) {
        space = try reader.string(max: Self.longestText)
        name = try reader.string(max: Self.longestText)
        path = try reader.string(max: 2 * Self.longestText)
        flags = try reader.uint32()
        owners = try reader.array(of: LockHolder.self, max: Self.mostOwners, elementSize: 12)
    }

    func encode(into writer: inout XDRWriter) {
        writer.string(space, max: Self.longestText)
        writer.string(name, max: Self.longestText)
        writer.string(path, max: 2 * Self.longestText)
        writer.uint32(flags)
        writer.array(owners, max: Self.mostOwners, "owners")
    }
}

/// A space that guests may use.
struct StoredSpace: XDRCodable {
    let directory: String

    init(directory: String) {
        self.directory = directory
    }

    init(from reader: inout XDRReader) throws(VirtError) {
        directory = try reader.string(max: StoredResource.longestText)
    }

    func encode(into writer: inout XDRWriter) {
        writer.string(directory, max: StoredResource.longestText)
    }
}
