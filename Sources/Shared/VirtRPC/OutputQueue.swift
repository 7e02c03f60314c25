import VirtCore
import VirtOS
import VirtWire

/// Bytes and descriptors waiting to be written to a socket, in order.
///
/// Messages without descriptors gather in one growing buffer; a descriptor closes a segment, because each goes out with
/// a carrier byte of its own behind its message.
struct OutputQueue {
    private struct Segment {
        var bytes: [UInt8]
        var descriptors: ArraySlice<DescriptorBox>
    }

    private static let worthLending = 1024
    /// From so many bytes on what is written is taken out of a buffer that never gets empty.
    private static let worthRemoving = 65536

    /// Complete segments, those with descriptors.
    private var segments: [Segment] = []
    private var tail: [UInt8] = []
    /// Bytes of the first buffer that are already written.
    private var written = 0
    /// What follows the tail, still in the buffer that it came in.
    private var lent: ArraySlice<UInt8> = []
    /// Bytes that wait.
    private(set) var bytes = 0

    /// Bytes of the buffers: what waits, and what is written of the first.
    var buffered: Int { segments.reduce(tail.count + lent.count) { $0 + $1.bytes.count } }
    var isEmpty: Bool { bytes == 0 && segments.isEmpty }

    mutating func append(_ message: [UInt8], descriptors: [DescriptorBox]) {
        takeLent()
        bytes += message.count
        if tail.isEmpty {
            tail = message
        } else {
            tail.append(contentsOf: message)
        }
        closeSegment(descriptors)
    }

    /// Adds a message whose content lies in another buffer; it is lent as below. A count of descriptors precedes the
    /// content if the header says so.
    mutating func append(_ header: MessageHeader, lending content: ArraySlice<UInt8>, descriptors: [DescriptorBox]) {
        takeLent()
        let size = MessageHeader.size + (header.carriesDescriptors ? 4 : 0) + content.count
        bytes += size
        append([
            UInt32(truncatingIfNeeded: size).bigEndian, header.program.bigEndian, header.version.bigEndian,
            UInt32(bitPattern: header.procedure).bigEndian, UInt32(bitPattern: header.type.rawValue).bigEndian,
            header.serial.bigEndian, UInt32(bitPattern: header.status.rawValue).bigEndian,
        ])
        if header.carriesDescriptors { append([UInt32(descriptors.count).bigEndian]) }
        lend(content)
        closeSegment(descriptors)
    }

    private mutating func append<let count: Int>(_ words: InlineArray<count, UInt32>) {
        unsafe words.span.withUnsafeBytes { unsafe tail.append(contentsOf: $0) }
    }

    /// Adds a message without descriptors that lies in a larger buffer. It is not copied if it is written before another
    /// one is added; that buffer is not to be changed before (or it is copied whole).
    mutating func append(lending message: ArraySlice<UInt8>) {
        takeLent()
        lend(message)
        bytes += message.count
    }

    /// To keep note of a little costs more than to copy it.
    private mutating func lend(_ content: ArraySlice<UInt8>) {
        if content.count < OutputQueue.worthLending { tail.append(contentsOf: content) } else { lent = content }
    }

    /// Copies what is lent; nothing keeps its buffer from then on.
    private mutating func takeLent() {
        if !lent.isEmpty { tail.append(contentsOf: lent) }
        lent = []
    }

    private mutating func closeSegment(_ descriptors: [DescriptorBox]) {
        guard !descriptors.isEmpty else { return }
        takeLent()
        segments.append(Segment(bytes: tail, descriptors: descriptors[...]))
        tail = []
    }

    /// Writes until all is out or the socket takes no more.
    mutating func write(to descriptor: Int32) throws(VirtError) {
        while !segments.isEmpty {
            let isOut = try Self.write(&segments[0].bytes, from: &written, to: descriptor, counting: &bytes)
            guard isOut, try writeDescriptors(of: &segments[0], to: descriptor) else { return takeLent() }
            segments.removeFirst()
        }
        if !lent.isEmpty { try writeWithLent(to: descriptor) }
        _ = try Self.write(&tail, from: &written, to: descriptor, counting: &bytes)
    }

    /// Writes the tail and what is lent behind it. What the socket does not take is the tail then.
    private mutating func writeWithLent(to descriptor: Int32) throws(VirtError) {
        let from = written
        let result = unsafe tail.withUnsafeBytes { tail in
            unsafe lent.withUnsafeBytes {
                unsafe UnixSocket.send(descriptor, UnsafeRawBufferPointer(rebasing: tail[from...]), $0)
            }
        }
        switch result {
        case .bytes(let count):
            bytes -= count
            written += min(count, tail.count - from)
            lent.removeFirst(from + count - written)
        case .wouldBlock: break
        case .error(let code): throw .system(code, .rpc, "Cannot write data")
        }
        takeLent()
    }

    /// True when the buffer went out whole; it keeps its capacity up to a limit.
    private static func write(
        _ buffer: inout [UInt8], from written: inout Int, to descriptor: Int32, counting bytes: inout Int
    ) throws(VirtError) -> Bool {
        while written < buffer.count {
            let from = written
            let result = unsafe buffer.withUnsafeBytes {
                unsafe UnixSocket.send(descriptor, UnsafeRawBufferPointer(rebasing: $0[from...]), descriptor: nil)
            }
            switch result {
            case .bytes(let count):
                written += count
                bytes -= count
            case .wouldBlock:
                if written >= worthRemoving, written >= buffer.count / 2 {
                    buffer.removeFirst(written)
                    written = 0
                }
                return false
            case .error(let code): throw .system(code, .rpc, "Cannot write data")
            }
        }
        written = 0
        buffer.removeAll(keepingCapacity: buffer.capacity <= 65536)
        return true
    }

    private func writeDescriptors(of segment: inout Segment, to descriptor: Int32) throws(VirtError) -> Bool {
        while let next = segment.descriptors.first {
            let result = unsafe withUnsafeBytes(of: UInt8(0)) {
                unsafe UnixSocket.send(descriptor, $0, descriptor: next.rawValue)
            }
            switch result {
            case .bytes: segment.descriptors.removeFirst()
            case .wouldBlock: return false
            case .error(let code): throw .system(code, .rpc, "Cannot send file descriptor")
            }
        }
        return true
    }
}
