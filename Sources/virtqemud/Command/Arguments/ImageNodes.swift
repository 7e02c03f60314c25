package import VirtCore
package import VirtModel

/// The two block nodes of an image, one for its bytes and one for its format: the words for QEMU's command line and for
/// `blockdev-add` alike.
package struct ImageNodes: Sendable {
    /// What a format node says of the image below.
    package enum Backing: Sendable, Equatable {
        /// Nothing: QEMU follows the image's own header.
        case unsaid
        /// There is none.
        case none
        /// The image with that number.
        case node(UInt32)
    }

    private let source: DiskSource
    private let format: DiskFormat
    /// How the disk works with its images.
    private let driver: DiskDriver?
    package var isReadonly = false
    /// The image is, or is to become, the one that the guest sees.
    package var isTop = false
    package var isFloppy = false
    /// The image's descriptors, if QEMU gets those.
    var set: CommandEnvironment.ImageSet?

    /// - Parameter image: has its number.
    package init(_ image: ChainImage, driver: DiskDriver?) {
        source = image.source
        format = image.format ?? DiskFormat()
        self.driver = driver
    }

    /// `libvirt-2`.
    package static func name(_ index: UInt32?) -> String { "libvirt-\(index ?? 0)" }
    package static func formatName(_ index: UInt32?) -> String { name(index) + "-format" }
    package static func storageName(_ index: UInt32?) -> String { name(index) + "-storage" }

    /// The node for the image's bytes.
    package var storage: JSONObject {
        let node = Self.storageName(source.index)
        var storage = BlockStorage(source, node: node, driver: driver, isFloppy: isFloppy)
        storage.set = set
        // With a single descriptor, how it is open is all there is: QEMU cannot choose another one later.
        if set?.descriptors.count == 1 { storage.readonly = isReadonly }
        return storage.properties
    }

    /// The node for the image's format.
    package func format(_ backing: Backing) -> JSONObject {
        var properties: JSONObject = ["node-name": .string(Self.formatName(source.index))]
        properties.add("read-only", isReadonly)
        if isTop {
            properties.add("discard", driver?.discard?.rawValue)
            properties.add("detect-zeroes", detectZeroes)
        }
        properties.add("cache", BlockStorage.cache(driver?.cache))
        addFormat(&properties)
        properties.add("cache-size", format.metadataCache?.maximumSize)
        if source.slices.first != nil, !isRaw {
            properties.add("file", sliceName)
        } else {
            properties.add("offset", source.slices.first?.offset)
            properties.add("size", source.slices.first?.size)
            properties.add("file", Self.storageName(source.index))
        }
        switch backing {
        case .unsaid: break
        case .none: if hasBacking { properties.add("backing", JSONValue.null) }
        case .node(let below): properties.add("backing", Self.formatName(below))
        }
        return properties
    }

    private var sliceName: String { Self.name(source.index) + "-slice-sto" }

    private var isRaw: Bool {
        format.type == "raw" && (source.encryption == nil || source.encryption?.engine == .librbd)
    }

    /// The part of a file that holds an image of another format than raw is a node of its own.
    package var slice: JSONObject? {
        guard let slice = source.slices.first, !isRaw else { return nil }
        var properties: JSONObject = [
            "driver": "raw", "node-name": .string(sliceName), "offset": .integer(slice.offset),
            "size": .integer(slice.size), "file": .string(Self.storageName(source.index)), "auto-read-only": true,
            "discard": "unmap",
        ]
        properties.add("cache", BlockStorage.cache(driver?.cache))
        return properties
    }

    /// Whether images of the format can have another below them.
    package var hasBacking: Bool { ["qcow2", "qcow", "qed", "vmdk", "cow"].contains(format.type) }

    private var detectZeroes: String? {
        guard let mode = driver?.detectZeroes else { return nil }
        // Without discard, "unmap" would have nothing to do.
        return mode == .unmap && driver?.discard != .unmap ? "on" : mode.rawValue
    }

    private func addFormat(_ properties: inout JSONObject) {
        let encryption = source.encryption.flatMap { $0.engine == .librbd ? nil : $0 }
        let secret = Self.formatName(source.index) + "-encryption-secret0"
        switch (format.type, encryption) {
        case ("raw", .some):
            properties.add("driver", "luks")
            properties.add("key-secret", secret)
        case ("qcow2", .some(let encryption)), ("qcow", .some(let encryption)):
            properties.add("driver", format.type)
            let kind = encryption.format == .qcow ? "aes" : encryption.format.rawValue
            properties.add("encrypt", ["format": .string(kind), "key-secret": .string(secret)] as JSONObject)
        case ("luks", _):
            properties.add("driver", "luks")
            properties.add("key-secret", secret)
        default:
            properties.add("driver", format.type == "fat" ? "raw" : format.type)
        }
    }
}
