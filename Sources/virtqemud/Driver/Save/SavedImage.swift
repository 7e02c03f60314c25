import Glibc
import VirtCore
import VirtOS

/// The file of a saved guest, in libvirt's format: a header, the guest's XML, and the stream that QEMU wrote.
struct SavedImage: Sendable, Equatable {
    /// What the guest did when it was saved.
    var wasRunning: Bool
    var xml: String
    /// XML about what the domain's own document does not hold, kept as it came.
    var cookie: String?
    /// The bytes between the header and QEMU's stream.
    var dataLength: UInt32

    private static let complete = Array("LibvirtQemudSave".utf8)
    private static let partial = Array("LibvirtQemudPart".utf8)
    private static let version: UInt32 = 2
    static let headerLength = 92
    /// Room for a longer document in the same place.
    private static let spare = 1024
    private static let largestData: UInt32 = 64 << 20

    init(xml: String, wasRunning: Bool, cookie: String? = nil) {
        self.xml = xml
        self.wasRunning = wasRunning
        self.cookie = cookie
        let length = xml.utf8.count + 1 + (cookie?.utf8.count ?? 0) + 1 + Self.spare
        dataLength = UInt32(clamping: (Self.headerLength + length + 511) / 512 * 512 - Self.headerLength)
    }

    /// Reads the bytes in front of QEMU's stream. `read` gives so many of the next bytes.
    init(reading read: (Int) throws(VirtError) -> [UInt8]) throws(VirtError) {
        let header = try read(Self.headerLength)
        guard header.count == Self.headerLength else {
            throw VirtError(.operationFailed, .qemu, "failed to read qemu header")
        }
        let magic = Array(header.prefix(16))
        guard magic != Self.partial else { throw VirtError(.operationFailed, .qemu, "save image is incomplete") }
        guard magic == Self.complete else { throw VirtError(.operationFailed, .qemu, "image magic is incorrect") }
        func number(_ index: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(header[16 + index * 4 + $1]) << UInt32($1 * 8) }
        }
        guard number(0) <= Self.version else {
            throw VirtError(
                .operationFailed, .qemu, "image version is not supported (\(number(0)) > \(Self.version))")
        }
        let length = number(1)
        guard length > 0, length <= Self.largestData else {
            throw VirtError(.operationFailed, .qemu, "invalid header data length: \(length)")
        }
        guard number(3) == 0 else {
            throw VirtError(.operationUnsupported, .qemu, "compressed save images are not supported")
        }
        let data = try read(Int(length))
        guard data.count == Int(length) else { throw VirtError(.operationFailed, .qemu, "failed to read domain XML") }
        wasRunning = number(2) != 0
        dataLength = length
        xml = Self.text(data[...])
        let offset = Int(number(4))
        cookie = offset > 0 && offset < data.count ? Self.text(data[offset...]) : nil
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// What stands in front of QEMU's stream.
    ///
    /// - Parameter isComplete: the stream is all there.
    func head(isComplete: Bool) throws(VirtError) -> [UInt8] {
        var data = Array(xml.utf8) + [0]
        let offset = cookie == nil ? 0 : UInt32(clamping: data.count)
        if let cookie { data += Array(cookie.utf8) + [0] }
        guard data.count <= Int(dataLength) else {
            throw VirtError(.operationFailed, .qemu, "new xml too large to fit in file")
        }
        data += Array(repeating: 0, count: Int(dataLength) - data.count)
        var head = isComplete ? Self.complete : Self.partial
        let numbers = [Self.version, dataLength, wasRunning ? 1 : 0, 0, offset] + Array(repeating: 0, count: 14)
        for number in numbers {
            for shift in 0..<4 { head.append(UInt8(truncatingIfNeeded: number >> UInt32(shift * 8))) }
        }
        return head + data
    }
}

// MARK: Files. All of these block.

extension SavedImage {
    /// An image that is open at the start of QEMU's stream.
    struct Opened: Sendable {
        var image: SavedImage
        let descriptor: DescriptorBox
    }

    static func open(_ path: String, writable: Bool = false) throws(VirtError) -> Opened {
        let descriptor: DescriptorBox
        do {
            descriptor = DescriptorBox(try OwnedDescriptor(opening: path, writable ? O_RDWR : O_RDONLY))
        } catch {
            throw .system(error.int1, .qemu, "Failed to open file '\(path)'")
        }
        let image = try SavedImage { count throws(VirtError) in try readFully(descriptor.rawValue, count, path) }
        return Opened(image: image, descriptor: descriptor)
    }

    private static func readFully(_ descriptor: Int32, _ count: Int, _ path: String) throws(VirtError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress.map { unsafe $0 + filled }, count - filled)
            }
            if got < 0 {
                if errno == EINTR { continue }
                throw .system(errno, .qemu, "cannot read '\(path)'")
            }
            if got == 0 { break }
            filled += got
        }
        return Array(bytes.prefix(filled))
    }

    /// Makes the file and writes what stands in front of the stream; the descriptor is where the stream begins.
    func create(_ path: String) throws(VirtError) -> DescriptorBox {
        let descriptor: DescriptorBox
        do {
            descriptor = DescriptorBox(
                try OwnedDescriptor(opening: path, O_RDWR | O_CREAT | O_TRUNC, mode: 0o600))
        } catch {
            throw .system(error.int1, .qemu, "Failed to create file '\(path)'")
        }
        try FileSystem.write(descriptor.rawValue, try head(isComplete: false), name: path)
        return descriptor
    }

    /// Marks the stream as all there, durably.
    func complete(_ descriptor: DescriptorBox, _ path: String) throws(VirtError) {
        let bytes = try head(isComplete: true)
        let written = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor.rawValue, $0.baseAddress, $0.count, 0) }
        guard written == bytes.count else { throw .system(errno, .qemu, "cannot write '\(path)'") }
        guard fsync(descriptor.rawValue) == 0 else { throw .system(errno, .qemu, "cannot write '\(path)'") }
    }
}
