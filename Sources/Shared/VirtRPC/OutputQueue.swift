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

    /// Complete segments, those with descriptors.
    private var segments: [Segment] = []
    private var tail: [UInt8] = []
    /// Bytes of the first buffer that are already written.
    private var written = 0
    private(set) var bytes = 0

    var isEmpty: Bool { bytes == 0 && segments.isEmpty }

    mutating func append(_ message: [UInt8], descriptors: [DescriptorBox]) {
        bytes += message.count
        if tail.isEmpty {
            tail = message
        } else {
            tail.append(contentsOf: message)
        }
        closeSegment(descriptors)
    }

    /// Adds a message whose content lies in another buffer. A count of descriptors precedes the content if the
    /// header says so.
    mutating func append(
        _ header: MessageHeader, copying content: ArraySlice<UInt8>, descriptors: [DescriptorBox]
    ) {
        let size = MessageHeader.size + (header.carriesDescriptors ? 4 : 0) + content.count
        bytes += size
        append([
            UInt32(truncatingIfNeeded: size).bigEndian, header.program.bigEndian, header.version.bigEndian,
            UInt32(bitPattern: header.procedure).bigEndian, UInt32(bitPattern: header.type.rawValue).bigEndian,
            header.serial.bigEndian, UInt32(bitPattern: header.status.rawValue).bigEndian,
        ])
        if header.carriesDescriptors { append([UInt32(descriptors.count).bigEndian]) }
        tail.append(contentsOf: content)
        closeSegment(descriptors)
    }

    private mutating func append<let count: Int>(_ words: InlineArray<count, UInt32>) {
        unsafe words.span.withUnsafeBytes { unsafe tail.append(contentsOf: $0) }
    }

    /// Adds a message without descriptors that lies in a larger buffer.
    mutating func append(copying message: ArraySlice<UInt8>) {
        bytes += message.count
        tail.append(contentsOf: message)
    }

    /// Writes a message straight from where it lies, when nothing waits before it; what the socket does not take is kept.
    mutating func writeThrough(_ message: ArraySlice<UInt8>, to descriptor: Int32) throws(VirtError) {
        guard isEmpty else { return append(copying: message) }
        let result = unsafe message.withUnsafeBytes { unsafe UnixSocket.send(descriptor, $0) }
        switch result {
        case .bytes(let count): if count < message.count { append(copying: message.dropFirst(count)) }
        case .wouldBlock: append(copying: message)
        case .error(let code): throw .system(code, .rpc, "Cannot write data")
        }
    }

    private mutating func closeSegment(_ descriptors: [DescriptorBox]) {
        guard !descriptors.isEmpty else { return }
        segments.append(Segment(bytes: tail, descriptors: descriptors[...]))
        tail = []
    }

    /// Writes until all is out or the socket takes no more.
    mutating func write(to descriptor: Int32) throws(VirtError) {
        while !segments.isEmpty {
            let isOut = try Self.write(&segments[0].bytes, from: &written, to: descriptor, counting: &bytes)
            guard isOut, try writeDescriptors(of: &segments[0], to: descriptor) else { return }
            segments.removeFirst()
        }
        _ = try Self.write(&tail, from: &written, to: descriptor, counting: &bytes)
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
            case .wouldBlock: return false
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
