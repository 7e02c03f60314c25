package import VirtCore
package import VirtOS
package import VirtWire

/// One message as it came off the socket, with the descriptors that followed it.
package struct Frame {
    package let header: MessageHeader
    /// The whole message, length word and header included.
    package let bytes: ArraySlice<UInt8>
    package let descriptors: [DescriptorBox]

    /// What follows the header and, in messages with descriptors, their count.
    package var payload: ArraySlice<UInt8> {
        bytes.dropFirst(MessageHeader.size + (header.carriesDescriptors ? 4 : 0))
    }
}

extension Frame {
    /// A whole message that came as the content of another one.
    package init(message: ArraySlice<UInt8>, descriptors: [DescriptorBox]) throws(VirtError) {
        guard message.count >= MessageHeader.size else { throw XDRReader.failure }
        let (length, header) = unsafe message.withUnsafeBytes { bytes in
            unsafe (Int(bytes.word(at: 0)), MessageHeader(bytes, at: 0))
        }
        guard length == message.count else { throw XDRReader.failure }
        var count = 0
        if header.carriesDescriptors {
            guard length >= MessageHeader.size + 4 else { throw XDRReader.failure }
            count = unsafe message.withUnsafeBytes { unsafe Int($0.word(at: MessageHeader.size)) }
        }
        guard count == descriptors.count else { throw XDRReader.failure }
        self.init(header: header, bytes: message, descriptors: descriptors)
    }

    /// The same message in memory of its own.
    init(copying frame: Frame) {
        self.init(header: frame.header, bytes: Array(frame.bytes)[...], descriptors: frame.descriptors)
    }
}

extension UnsafeRawBufferPointer {
    /// The XDR word at an offset that has four bytes.
    fileprivate func word(at offset: Int) -> UInt32 {
        unsafe UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}

extension MessageHeader {
    /// Reads the header of a message whose length word is at an offset; all of it is there.
    fileprivate init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        func word(_ place: Int) -> UInt32 { unsafe bytes.word(at: offset + place) }
        self.init(
            program: word(4), version: word(8), procedure: Int32(bitPattern: word(12)),
            type: .init(rawValue: Int32(bitPattern: word(16))), serial: word(20),
            status: .init(rawValue: Int32(bitPattern: word(24))))
    }

    /// The payload starts with a descriptor count, and as many carrier bytes follow the message.
    package var carriesDescriptors: Bool { type == .callWithDescriptors || type == .replyWithDescriptors }
}

/// Cuts the byte stream of a connection into messages, and gives each its descriptors. No I/O.
///
/// Descriptors travel after their message, each with one carrier byte. The kernel ends a read behind the byte that
/// carried one, so reading ahead is safe: a descriptor belongs to the stream position of the last byte of its read.
package struct FrameDecoder {
    /// Largest message in bytes, length word included.
    package static let largestMessage = MessageLimit.message
    /// Most descriptors with one message.
    package static let mostDescriptors = MessageLimit.descriptors
    private static let smallBuffer = 4096
    private static let largeBuffer = 65536

    private var storage = [UInt8](repeating: 0, count: smallBuffer)
    private var start = 0
    private var end = 0
    /// Stream position of `storage[start]`.
    private var position: UInt64 = 0
    private var arrived: [(position: UInt64, descriptor: DescriptorBox)] = []
    private var lastLength = 0
    /// Bytes of the largest message that is taken, length word included.
    var limit: Int
    /// Bytes of the buffer while no larger message comes: a read brings so many.
    var usualBuffer = smallBuffer

    package init(limit: Int = largestMessage) {
        self.limit = limit
    }

    /// Bytes received and not yet returned by `next`.
    package var buffered: Int { end - start }

    /// Lets `body` read into the free space and returns what it returns; `received` must follow.
    ///
    /// - Parameter most: bytes that the space has at most.
    package mutating func withFreeSpace<R>(_ most: Int = .max, _ body: (UnsafeMutableRawBufferPointer) -> R) -> R {
        makeRoom()
        let from = end
        return unsafe storage.withUnsafeMutableBytes {
            unsafe body(UnsafeMutableRawBufferPointer(rebasing: $0[from...].prefix(most)))
        }
    }

    /// Bytes that the message whose first bytes are here still lacks, as far as is known; 0 between messages.
    package var missing: Int {
        guard buffered > 0 else { return 0 }
        guard buffered >= 4 else { return 4 - buffered }
        let length = Int(word(at: start))
        return buffered < length && length <= limit ? length - buffered : 1
    }

    /// The bytes of a message that is not complete.
    package var partial: [UInt8] { Array(storage[start..<end]) }

    /// Whether descriptors came that no message took yet.
    package var holdsDescriptors: Bool { !arrived.isEmpty }

    /// Takes note of `count` bytes that were read into the free space and of the descriptors that came with them.
    package mutating func received(_ count: Int, descriptors: [DescriptorBox]) throws(VirtError) {
        end += count
        guard !descriptors.isEmpty else { return }
        guard descriptors.count == 1, arrived.count < FrameDecoder.mostDescriptors * 2, count > 0 else {
            throw FrameDecoder.violation("more file descriptors than announced")
        }
        arrived.append((position + UInt64(buffered) - 1, descriptors[0]))
    }

    /// The next complete message, or nil when more bytes are needed. An error ends the connection.
    package mutating func next() throws(VirtError) -> Frame? {
        guard buffered >= 4 else { return nil }
        let length = Int(word(at: start))
        guard length >= MessageHeader.size, length <= limit else {
            throw FrameDecoder.violation("packet \(length) bytes too \(length > limit ? "large" : "small")")
        }
        guard buffered >= length else { return nil }
        let header = header()
        guard header.carriesDescriptors else {
            if !arrived.isEmpty { try checkNoneArrived(before: UInt64(length)) }
            return take(header, length: length, descriptors: [])
        }
        guard length >= MessageHeader.size + 4 else { throw FrameDecoder.violation("descriptor count is missing") }
        let count = Int(word(at: start + MessageHeader.size))
        guard count <= FrameDecoder.mostDescriptors else {
            throw FrameDecoder.violation("too many file descriptors: \(count)")
        }
        try checkNoneArrived(before: UInt64(length))
        guard buffered >= length + count else { return nil }
        let descriptors = try takeDescriptors(count, behind: length)
        return take(header, length: length, carriers: count, descriptors: descriptors)
    }

    /// The header at `start`, all of which is there.
    private func header() -> MessageHeader {
        unsafe storage.withUnsafeBytes { unsafe MessageHeader($0, at: start) }
    }

    private func checkNoneArrived(before length: UInt64) throws(VirtError) {
        if let first = arrived.first, first.position < position + length {
            throw FrameDecoder.violation("unexpected file descriptor")
        }
    }

    private mutating func takeDescriptors(_ count: Int, behind length: Int) throws(VirtError) -> [DescriptorBox] {
        guard arrived.count >= count else { throw FrameDecoder.violation("file descriptor is missing") }
        for index in 0..<count where arrived[index].position != position + UInt64(length + index) {
            throw FrameDecoder.violation("file descriptor out of place")
        }
        let taken = arrived.prefix(count).map(\.descriptor)
        arrived.removeFirst(count)
        return taken
    }

    private mutating func take(
        _ header: MessageHeader, length: Int, carriers: Int = 0, descriptors: [DescriptorBox]
    ) -> Frame {
        let frame = Frame(header: header, bytes: storage[start..<(start + length)], descriptors: descriptors)
        start += length + carriers
        lastLength = length
        position += UInt64(length + carriers)
        return frame
    }

    /// Room for at least one byte: moves what is left to the front or grows fourfold, so that memory follows what has
    /// arrived and not what a length word claims.
    private mutating func makeRoom() {
        if start == end {
            start = 0
            end = 0
            let isTooLarge = storage.count > FrameDecoder.largeBuffer && lastLength <= usualBuffer
            if storage.count < usualBuffer || isTooLarge { storage = [UInt8](repeating: 0, count: usualBuffer) }
        }
        guard end == storage.count else { return }
        if start > storage.count / 2 {
            let (from, count) = (start, buffered)
            unsafe storage.withUnsafeMutableBytes { bytes in
                unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[from..<(from + count)]))
            }
            end = count
            start = 0
        } else {
            storage.append(contentsOf: repeatElement(0, count: min(storage.count * 3, 4 << 20)))
        }
    }

    private func word(at index: Int) -> UInt32 {
        unsafe storage.withUnsafeBytes { unsafe $0.word(at: index) }
    }

    private static func violation(_ text: String) -> VirtError {
        VirtError(.rpc, .rpc, text)
    }
}
