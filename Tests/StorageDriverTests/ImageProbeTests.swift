import Testing
import VirtModel

/// Headers as bytes at their places.
struct Header {
    var bytes: [UInt8]

    init(count: Int = 4096) { bytes = Array(repeating: 0, count: count) }

    func put(_ offset: Int, _ content: [UInt8]) -> Header {
        var copy = self
        copy.bytes.replaceSubrange(offset..<(offset + content.count), with: content)
        return copy
    }

    func text(_ offset: Int, _ text: String) -> Header { put(offset, Array(text.utf8)) }
    func big32(_ offset: Int, _ value: UInt32) -> Header {
        put(offset, withUnsafeBytes(of: value.bigEndian) { Array($0) })
    }
    func big64(_ offset: Int, _ value: UInt64) -> Header {
        put(offset, withUnsafeBytes(of: value.bigEndian) { Array($0) })
    }
    func little32(_ offset: Int, _ value: UInt32) -> Header {
        put(offset, withUnsafeBytes(of: value.littleEndian) { Array($0) })
    }
    func little64(_ offset: Int, _ value: UInt64) -> Header {
        put(offset, withUnsafeBytes(of: value.littleEndian) { Array($0) })
    }

    static func qcow2(version: UInt32, size: UInt64 = 1 << 30) -> Header {
        Header().text(0, "QFI").put(3, [0xFB]).big32(4, version).big32(20, 16).big64(24, size).big32(100, 104)
    }
}

@Suite("Image headers")
struct ImageProbeTests {
    static let formats: [(StorageFileFormat, UInt64?, Header)] = [
        (.qcow2, 1 << 30, .qcow2(version: 2)),
        (.qcow2, 1 << 30, .qcow2(version: 3)),
        (.qcow, 5 << 20, Header().text(0, "QFI").put(3, [0xFB]).big32(4, 1).big64(24, 5 << 20)),
        (.qed, 7 << 20, Header().text(0, "QED").little64(48, 7 << 20)),
        (.vmdk, 10 << 20, Header().text(0, "KDMV").little32(4, 1).little64(12, 20480)),
        (.vdi, 9 << 20, Header().put(64, [0x7F, 0x10, 0xDA, 0xBE]).little32(68, 0x10001).little64(368, 9 << 20)),
        (.vpc, 8 << 20, Header().text(0, "conectix").big32(12, 0x10000).big64(40, 8 << 20)),
        (.ploop, nil, Header().text(0, "WithouFreSpacExt")),
        (.cow, 6 << 20, Header().text(0, "OOOM").big32(4, 2).big64(1036, 6 << 20)),
        (.iso, nil, Header(count: ImageProbe.headerSize).text(0x8001, "CD001")),
        (.raw, nil, Header()),
        // A version that nobody knows is no image of that format.
        (.raw, nil, .qcow2(version: 9)),
    ]

    @Test("Formats and capacities are recognised", arguments: formats)
    func recognises(_ format: StorageFileFormat, _ capacity: UInt64?, _ header: Header) {
        let found = ImageProbe.metadata(header.bytes)
        #expect(found.format == format)
        #expect(found.capacity == capacity)
    }

    @Test("A qcow2 header names its backing image, that image's format, features and cluster size")
    func qcow2Details() {
        let header = Header.qcow2(version: 3).big64(8, 512).big32(16, 4).text(512, "base")
            .big64(80, 1).big64(72, 16).big32(104, 0x6803_F857).big32(108, 3).big32(120, 0xE279_2ACA).big32(124, 5)
            .text(128, "qcow2")
        let found = ImageProbe.metadata(header.bytes)
        #expect(found.backingPath == "base")
        #expect(found.backingFormat == .qcow2)
        #expect(found.features == [.lazyRefcounts, .extendedL2])
        #expect(found.clusterSize == 65536)
    }

    @Test("Level 2 has no features and its extensions begin earlier")
    func qcow2Level2() {
        let header = Header.qcow2(version: 2).big64(8, 512).big32(16, 4).text(512, "base").big32(72, 0xE279_2ACA)
            .big32(76, 3).text(80, "raw")
        let found = ImageProbe.metadata(header.bytes)
        #expect(found.features == nil)
        #expect(found.backingFormat == .raw)
    }

    @Test("Encryption shows in qcow2 and LUKS headers")
    func encryption() {
        #expect(ImageProbe.metadata(Header.qcow2(version: 3).big32(32, 2).bytes).encryption == .luks)
        #expect(ImageProbe.metadata(Header.qcow2(version: 3).big32(32, 1).bytes).encryption == .qcow)
        let luks = Header().text(0, "LUKS").put(4, [0xBA, 0xBE, 0, 1]).big32(104, 4040)
        let found = ImageProbe.metadata(luks.bytes)
        #expect(found.format == .raw)
        #expect(found.encryption == .luks)
        #expect(found.payloadOffset == 4040 * 512)
    }

    @Test("A VMDK's descriptor names its parent")
    func vmdkParent() {
        let text = "# Disk DescriptorFile\nversion=1\nparentFileNameHint=\"base.vmdk\"\n"
        let header = Header().text(0, "KDMV").little32(4, 1).text(512, text)
        #expect(ImageProbe.metadata(header.bytes).backingPath == "base.vmdk")
    }

    @Test("Relative names count from the image's directory; other hosts' images are no files")
    func names() {
        #expect(ImageProbe.localPath("base", of: "/images/top") == "/images/base")
        #expect(ImageProbe.localPath("../base", of: "/images/top") == "/images/../base")
        #expect(ImageProbe.localPath("/base", of: "/images/top") == "/base")
        #expect(ImageProbe.localPath("base", of: "top") == "base")
        #expect(ImageProbe.localPath("nbd://host/export", of: "/images/top") == nil)
        #expect(ImageProbe.localPath("json:{}", of: "/images/top") == nil)
    }

    static let hostile: [Header] = [
        // Places and lengths beyond everything.
        .qcow2(version: 3).big64(8, .max).big32(16, .max),
        .qcow2(version: 3).big64(8, 4095).big32(16, 1023),
        .qcow2(version: 3).big32(100, .max).big64(8, 4000).big32(16, 4),
        // Extensions that never end, or end beyond the header.
        .qcow2(version: 3).big64(8, 4000).big32(16, 4).big32(104, 1).big32(108, .max),
        .qcow2(version: 3).big64(8, 4000).big32(16, 4).big32(104, 1).big32(108, 0),
        .qcow2(version: 3).big32(20, .max),
        Header().text(0, "QED").little64(16, .max).little32(56, .max).little32(60, 100),
        Header().text(0, "KDMV").little32(4, 1).little64(12, .max),
        Header().text(0, "LUKS").put(4, [0xBA, 0xBE, 0, 1]).big32(104, .max),
    ]

    @Test("Hostile headers give no more than they hold", arguments: hostile)
    func hostileHeaders(_ header: Header) {
        let found = ImageProbe.metadata(header.bytes)
        #expect((found.backingPath?.utf8.count ?? 0) <= 1023)
        #expect((found.capacity ?? 0) <= UInt64(Int64.max))
        for length in [0, 1, 3, 4, 7, 8, 20, 24, 72, 103, 111] {
            for format in StorageFileFormat.allCases {
                let part = ImageProbe.metadata(Array(header.bytes.prefix(length)), as: format)
                #expect((part.backingPath?.utf8.count ?? 0) <= 3 * length)
            }
        }
    }
}
