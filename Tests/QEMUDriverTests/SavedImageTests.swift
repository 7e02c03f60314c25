import Glibc
import Testing
import VirtCore
import VirtOS

@testable import QEMUDriver

@Suite("Images of saved guests")
struct SavedImageTests {
    private func read(_ bytes: [UInt8]) throws -> SavedImage {
        var rest = bytes[...]
        return try SavedImage { count throws(VirtError) in
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
    }

    @Test("What is written in front of the stream is read again")
    func roundTrip() throws {
        let image = SavedImage(xml: "<domain/>\n", wasRunning: true, cookie: "<cookie/>\n")
        let head = try image.head(isComplete: true)
        #expect(head.count % 512 == 0)
        #expect(String(decoding: head.prefix(16), as: UTF8.self) == "LibvirtQemudSave")
        #expect(try read(head) == image)
    }

    @Test("An image whose stream never ended is told from one that is none")
    func incomplete() throws {
        let image = SavedImage(xml: "<domain/>", wasRunning: false)
        let partial = try image.head(isComplete: false)
        #expect(throws: VirtError(.operationFailed, .qemu, "save image is incomplete")) { try read(partial) }
        let other = [UInt8](repeating: 0x41, count: 92)
        #expect(throws: VirtError(.operationFailed, .qemu, "image magic is incorrect")) { try read(other) }
        #expect(throws: VirtError(.operationFailed, .qemu, "failed to read qemu header")) { try read([1, 2, 3]) }
    }

    @Test("Lengths that a file claims are checked before anything is read", arguments: [0, UInt32.max, 65 << 20])
    func lengths(length: UInt32) throws {
        var head = try SavedImage(xml: "<domain/>", wasRunning: false).head(isComplete: true)
        for shift in 0..<4 { head[20 + shift] = UInt8(truncatingIfNeeded: length >> UInt32(shift * 8)) }
        #expect(throws: VirtError(.operationFailed, .qemu, "invalid header data length: \(length)")) { try read(head) }
    }

    @Test("A longer document fits into the same place, one that is too long is refused")
    func changed() throws {
        var image = SavedImage(xml: "<domain/>", wasRunning: false)
        let length = try image.head(isComplete: true).count
        image.xml = "<domain>" + String(repeating: " ", count: 1000) + "</domain>"
        #expect(try image.head(isComplete: true).count == length)
        image.xml += String(repeating: " ", count: 1000)
        #expect(throws: VirtError(.operationFailed, .qemu, "new xml too large to fit in file")) {
            try image.head(isComplete: true)
        }
    }

    @Test("The file is marked as complete at the end only")
    func file() throws {
        let path = "/tmp/saved-image-\(getpid())"
        defer { unlink(path) }
        let image = SavedImage(xml: "<domain/>", wasRunning: true)
        let descriptor = try image.create(path)
        #expect(throws: VirtError.self) { try SavedImage.open(path) }
        try FileSystem.write(descriptor.rawValue, [7, 7, 7], name: path)
        try image.complete(descriptor, path)
        let opened = try SavedImage.open(path)
        #expect(opened.image == image)
        var stream = [UInt8](repeating: 0, count: 8)
        #expect(Glibc.read(opened.descriptor.rawValue, &stream, 8) == 3)
        #expect(stream.prefix(3) == [7, 7, 7])
    }
}
