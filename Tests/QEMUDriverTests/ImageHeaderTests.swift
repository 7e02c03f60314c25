import Testing

@testable import QEMUDriver

@Suite("Images' headers")
struct ImageHeaderTests {
    /// A version 3 header with a backing file and its format.
    private func qcow2(backing: String, format: String?) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 104)
        bytes.replaceSubrange(0..<4, with: [0x51, 0x46, 0x49, 0xFB])
        bytes[7] = 3
        bytes.replaceSubrange(24..<32, with: [0, 0, 0, 0, 4, 0, 0, 0])  // 64 MiB
        bytes[103] = 104
        if let format {
            bytes += [0xE2, 0x79, 0x2A, 0xCA, 0, 0, 0, UInt8(format.utf8.count)] + Array(format.utf8)
            while bytes.count % 8 != 0 { bytes.append(0) }
        }
        bytes += [UInt8](repeating: 0, count: 8)
        bytes[15] = UInt8(bytes.count)
        bytes[19] = UInt8(backing.utf8.count)
        return bytes + Array(backing.utf8)
    }

    @Test("An image names the one below it and that one's format")
    func backing() {
        let header = ImageHeader.parse(qcow2(backing: "base.raw", format: "raw"))
        #expect(header.format == .qcow2)
        #expect(header.capacity == 64 << 20)
        #expect(header.backing == "base.raw")
        #expect(header.backingFormat == "raw")
    }

    @Test("An image without a format for the one below says so")
    func noFormat() {
        #expect(ImageHeader.parse(qcow2(backing: "/b", format: nil)).backingFormat == nil)
    }

    @Test(
        "Anything else is a raw image",
        arguments: [[], [0x51, 0x46, 0x49, 0xFB], Array(repeating: 0xFF, count: 200)] as [[UInt8]])
    func raw(bytes: [UInt8]) {
        #expect(ImageHeader.parse(bytes) == ImageHeader())
    }

    @Test("No byte of a header leads outside of it")
    func hostile() {
        let image = qcow2(backing: "base.qcow2", format: "qcow2")
        for position in image.indices {
            for value: UInt8 in [0x00, 0x7F, 0x80, 0xFF] {
                var copy = image
                copy[position] = value
                _ = ImageHeader.parse(copy)
            }
            _ = ImageHeader.parse(Array(image.prefix(position)))
        }
    }

    @Test("Relative names count from the image's directory; other hosts' images are no files")
    func resolving() {
        #expect(ImageHeader.resolve("base", relativeTo: "/images/top") == "/images/base")
        #expect(ImageHeader.resolve("/x/base", relativeTo: "/images/top") == "/x/base")
        #expect(ImageHeader.resolve("nbd://host/x", relativeTo: "/images/top") == nil)
        #expect(ImageHeader.resolve("json:{}", relativeTo: "/images/top") == nil)
    }
}
