// modules: CLinux CSystemd VirtCore VirtOS VirtWire VirtRPC
// flags: -lsystemd

import Glibc
import VirtCore
import VirtOS
import VirtRPC

/// The byte stream of a connection, in reads of changing sizes, some of which bring a descriptor. The input is a list of
/// reads: a byte with the number of bytes and, in its highest bit, whether a descriptor comes with them; then the bytes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFrame(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: size))
    var decoder = FrameDecoder(limit: 4096)
    var rest = input[...]
    do {
        while let head = rest.popFirst() {
            var piece = rest.prefix(Int(head & 0x7F) + 1)
            rest = rest.dropFirst(piece.count)
            while !piece.isEmpty {
                let count = decoder.withFreeSpace { space in
                    let count = min(space.count, piece.count)
                    space.copyBytes(from: piece.prefix(count))
                    return count
                }
                piece = piece.dropFirst(count)
                // A descriptor belongs to the last byte of its read.
                let carries = piece.isEmpty && head & 0x80 != 0
                let descriptors = carries ? [DescriptorBox(OwnedDescriptor(open("/dev/null", O_RDONLY)))] : []
                try decoder.received(count, descriptors: descriptors)
            }
            while let frame = try decoder.next() { check(frame) }
            // What is not a whole message yet is all that is kept.
            precondition(decoder.buffered < 4096 + FrameDecoder.mostDescriptors)
        }
    } catch {
        return 0
    }
    return 0
}

private func check(_ frame: Frame) {
    precondition(frame.bytes.count <= 4096 && frame.payload.count <= frame.bytes.count)
    precondition(frame.descriptors.count <= FrameDecoder.mostDescriptors)
    precondition(frame.header.carriesDescriptors || frame.descriptors.isEmpty)
    // As the record of a trunk, its content is a message again.
    do {
        let inner = try Frame(message: frame.payload, descriptors: frame.descriptors)
        precondition(inner.payload.count < frame.payload.count)
    } catch {
        return
    }
}
