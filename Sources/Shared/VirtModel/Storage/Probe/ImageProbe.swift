/// Recognises image files by their headers and reads what these say. Pure: bytes in, values out; no header can make it
/// read beyond the bytes or keep more than they hold.
package enum ImageProbe {
    /// How much of a file is worth reading: the farthest magic is ISO 9660's.
    package static let headerSize = 0x8200

    /// The format and everything else that the header says.
    package static func metadata(_ bytes: [UInt8]) -> ImageMetadata {
        metadata(bytes, as: format(bytes))
    }

    /// What the header says when it is read as that format.
    package static func metadata(_ bytes: [UInt8], as format: StorageFileFormat) -> ImageMetadata {
        let header = HeaderBytes(bytes)
        var result = ImageMetadata(format: format)
        if let place = sizePlaces[format] { result.capacity = capacity(header, place) }
        switch format {
        case .qcow: qcow(header, &result)
        case .qcow2: qcow2(header, &result)
        case .qed: qed(header, &result)
        case .vmdk: vmdk(header, &result)
        case .cow: cow(header, &result)
        case .raw: luks(header, &result)
        case .none, .dir, .bochs, .cloop, .dmg, .iso, .vpc, .vdi, .fat, .vhd, .ploop: break
        }
        return result
    }

    /// The format that the header shows; raw when it shows none.
    package static func format(_ bytes: [UInt8]) -> StorageFileFormat {
        let header = HeaderBytes(bytes)
        return signatures.first { $0.matches(header) }?.format ?? .raw
    }

    // MARK: Recognising

    private struct Signature {
        let format: StorageFileFormat
        let magic: [UInt8]
        var offset = 0
        var order = HeaderBytes.Order.big
        /// Where the version is and which there are; nil: any.
        var versions: (offset: Int, known: [UInt32])?

        init(
            _ format: StorageFileFormat, _ magic: [UInt8], at offset: Int = 0, _ order: HeaderBytes.Order = .big,
            versions: (offset: Int, known: [UInt32])? = nil
        ) {
            (self.format, self.magic, self.offset) = (format, magic, offset)
            (self.order, self.versions) = (order, versions)
        }

        func matches(_ header: HeaderBytes) -> Bool {
            guard header.has(magic, at: offset) else { return false }
            guard let versions else { return true }
            return header.word(at: versions.offset, order).map { versions.known.contains($0) } ?? false
        }
    }

    private static let qemuMagic: [UInt8] = [0x51, 0x46, 0x49, 0xFB]
    private static let signatures: [Signature] = [
        Signature(.bochs, Array("Bochs Virtual HD Image".utf8), at: 0, .little, versions: (64, [0x10000, 0x20000])),
        Signature(.iso, Array("CD001".utf8), at: 0x8001),
        Signature(.vpc, Array("conectix".utf8), at: 0, .big, versions: (12, [0x10000])),
        Signature(.vdi, [0x7F, 0x10, 0xDA, 0xBE], at: 64, .little, versions: (68, [0x10001])),
        Signature(.ploop, Array("WithoutFreeSpace".utf8)),
        Signature(.ploop, Array("WithouFreSpacExt".utf8)),
        Signature(.cow, Array("OOOM".utf8), at: 0, .big, versions: (4, [2])),
        Signature(.qcow, qemuMagic, at: 0, .big, versions: (4, [1])),
        Signature(.qcow2, qemuMagic, at: 0, .big, versions: (4, [2, 3])),
        Signature(.qed, [0x51, 0x45, 0x44, 0x00]),
        Signature(.vmdk, Array("KDMV".utf8), at: 0, .little, versions: (4, [1, 2, 3])),
    ]

    // MARK: Sizes

    private struct SizePlace {
        let offset: Int
        let order: HeaderBytes.Order
        var multiplier: UInt64 = 1
    }

    private static let sizePlaces: [StorageFileFormat: SizePlace] = [
        .bochs: SizePlace(offset: 84, order: .little),
        .vpc: SizePlace(offset: 40, order: .big),
        .vdi: SizePlace(offset: 368, order: .little),
        .cow: SizePlace(offset: 1036, order: .big),
        .qcow: SizePlace(offset: 24, order: .big),
        .qcow2: SizePlace(offset: 24, order: .big),
        .qed: SizePlace(offset: 48, order: .little),
        .vmdk: SizePlace(offset: 12, order: .little, multiplier: 512),
    ]

    /// A size that no file can have counts as not said.
    private static func capacity(_ header: HeaderBytes, _ place: SizePlace) -> UInt64? {
        guard let number = header.long(at: place.offset, place.order) else { return nil }
        let (size, overflow) = number.multipliedReportingOverflow(by: place.multiplier)
        guard !overflow, size <= UInt64(Int64.max), size > 0 else { return nil }
        return size
    }

    // MARK: Names

    /// The file that a backing name in the header of the image `path` stands for: relative names count from the image's
    /// directory. Nil: it is no file of this host.
    package static func localPath(_ backing: String, of path: String) -> String? {
        guard isLocal(backing) else { return nil }
        if backing.hasPrefix("/") { return backing }
        guard let slash = path.lastIndex(of: "/") else { return backing }
        return path[...slash] + backing
    }

    /// Names with a protocol lead elsewhere, as QEMU reads them.
    package static func isLocal(_ backing: String) -> Bool {
        guard let colon = backing.firstIndex(of: ":") else { return true }
        let scheme = backing[..<colon]
        return scheme.isEmpty || scheme.contains { !($0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0))) }
    }
}
