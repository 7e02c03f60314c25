// What single formats keep in their headers.
extension ImageProbe {
    /// QEMU takes no longer names.
    private static let longestBackingPath = 1023

    static func qcow(_ header: HeaderBytes, _ result: inout ImageMetadata) {
        result.backingPath = qemuBackingPath(header)
        if header.word(at: 36, .big) == 1 { result.encryption = .qcow }
    }

    static func qcow2(_ header: HeaderBytes, _ result: inout ImageMetadata) {
        result.backingPath = qemuBackingPath(header)
        switch header.word(at: 32, .big) {
        case 1: result.encryption = .qcow
        case 2: result.encryption = .luks
        default: break
        }
        if let bits = header.word(at: 20, .big), bits < 64 { result.clusterSize = 1 << UInt64(bits) }
        if result.backingPath != nil {
            result.backingFormat = extensionFormat(header)
        }
        guard let version = header.word(at: 4, .big), version >= 3 else { return }
        var features: [StorageFileFeature] = []
        if let compatible = header.long(at: 80, .big), compatible & 1 != 0 { features.append(.lazyRefcounts) }
        if let incompatible = header.long(at: 72, .big), incompatible & 16 != 0 { features.append(.extendedL2) }
        result.features = features
    }

    /// The name of the backing image in qcow and qcow2: its place and its length are in the header.
    private static func qemuBackingPath(_ header: HeaderBytes) -> String? {
        guard let offset = header.long(at: 8, .big), offset != 0, let size = header.word(at: 16, .big), size != 0,
            size <= longestBackingPath, let place = Int(exactly: offset)
        else { return nil }
        return header.text(at: place, count: Int(size))
    }

    /// The backing image's format, from the header extensions of qcow2.
    private static func extensionFormat(_ header: HeaderBytes) -> StorageFileFormat? {
        guard let version = header.word(at: 4, .big) else { return nil }
        var offset = version == 2 ? 72 : Int(header.word(at: 100, .big) ?? 0)
        guard offset >= 72, let limit = header.long(at: 8, .big).flatMap({ Int(exactly: $0) }) else { return nil }
        let end = min(limit, header.count)
        while offset <= end - 8, let magic = header.word(at: offset, .big), let size = header.word(at: offset + 4, .big)
        {
            guard magic != 0, Int(size) <= end - offset - 8 else { return nil }
            if magic == 0xE279_2ACA {
                return header.text(at: offset + 8, count: Int(size)).flatMap { StorageFileFormat(rawValue: $0) }
            }
            // Each extension is padded to eight bytes.
            offset += 8 + (Int(size) + 7) & ~7
        }
        return nil
    }

    static func qed(_ header: HeaderBytes, _ result: inout ImageMetadata) {
        guard let flags = header.long(at: 16, .little), flags & 1 != 0, let offset = header.word(at: 56, .little),
            let size = header.word(at: 60, .little), size != 0, size <= longestBackingPath
        else { return }
        result.backingPath = header.text(at: Int(offset), count: Int(size))
        // QED knows only raw or to be probed.
        if flags & 4 != 0 { result.backingFormat = .raw }
    }

    static func cow(_ header: HeaderBytes, _ result: inout ImageMetadata) {
        let path = header.text(at: 8, count: longestBackingPath + 1)
        if let path, !path.isEmpty { result.backingPath = path }
    }

    /// The descriptor after the first sector names the parent.
    static func vmdk(_ header: HeaderBytes, _ result: inout ImageMetadata) {
        let start = 512
        let length = min(header.count - start, 20 * 512)
        guard length > 0, let text = header.text(at: start, count: length) else { return }
        let key = "parentFileNameHint=\""
        for line in text.split(whereSeparator: { $0 == "\n" || $0 == "\r\n" }) where line.hasPrefix(key) {
            let rest = line.dropFirst(key.count)
            guard let end = rest.firstIndex(of: "\"") else { return }
            result.backingPath = String(rest[..<end])
            result.backingFormat = .vmdk
            return
        }
    }

    static func luks(_ header: HeaderBytes, _ result: inout ImageMetadata) {
        guard header.has([0x4C, 0x55, 0x4B, 0x53, 0xBA, 0xBE], at: 0),
            let version = header.number(at: 6, size: 2, .big)
        else { return }
        switch version {
        case 1:
            result.encryption = .luks
            result.payloadOffset = header.word(at: 104, .big).map { UInt64($0) * 512 }
        case 2: result.encryption = .luks2
        default: break
        }
    }
}
