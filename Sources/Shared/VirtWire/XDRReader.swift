import Glibc
package import VirtCore

/// Reads XDR (RFC 4506) from a message. Every count is checked against its limit and against the bytes that are left
/// before anything is allocated; whatever does not fit throws, and nothing traps.
package struct XDRReader {
    private let bytes: ArraySlice<UInt8>
    /// Bytes of `bytes` that were read.
    private var position = 0
    private let size: Int

    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        size = bytes.count
    }

    package init(_ bytes: [UInt8]) {
        self.init(bytes[...])
    }

    /// What every refused message is answered with: code 39, as C libvirt.
    package static let failure = VirtError(.rpc, .rpc, "Unable to decode message payload")

    /// Bytes not yet read. What is left after a message's last field is ignored.
    package var remaining: Int { size - position }

    /// Bytes read so far.
    package var consumed: Int { position }

    package mutating func uint32() throws(VirtError) -> UInt32 {
        guard remaining >= 4 else { throw XDRReader.failure }
        let offset = position
        position += 4
        return unsafe UInt32(
            bigEndian: bytes.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) })
    }

    package mutating func uint64() throws(VirtError) -> UInt64 {
        guard remaining >= 8 else { throw XDRReader.failure }
        let offset = position
        position += 8
        return unsafe UInt64(
            bigEndian: bytes.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) })
    }

    package mutating func int32() throws(VirtError) -> Int32 {
        Int32(bitPattern: try uint32())
    }

    package mutating func int64() throws(VirtError) -> Int64 {
        Int64(bitPattern: try uint64())
    }

    package mutating func double() throws(VirtError) -> Double {
        Double(bitPattern: try uint64())
    }

    /// Narrow integers take four bytes; as in C, the upper ones are dropped.
    package mutating func int8() throws(VirtError) -> Int8 {
        Int8(truncatingIfNeeded: try uint32())
    }

    package mutating func uint8() throws(VirtError) -> UInt8 {
        UInt8(truncatingIfNeeded: try uint32())
    }

    package mutating func int16() throws(VirtError) -> Int16 {
        Int16(truncatingIfNeeded: try uint32())
    }

    package mutating func uint16() throws(VirtError) -> UInt16 {
        UInt16(truncatingIfNeeded: try uint32())
    }

    /// An XDR bool, also in front of an optional value: 0 or 1.
    package mutating func bool() throws(VirtError) -> Bool {
        switch try uint32() {
        case 0: return false
        case 1: return true
        default: throw XDRReader.failure
        }
    }

    /// The element count of an array: at most `max`, and no more than fit into what is left.
    package mutating func count(max: Int, elementSize: Int) throws(VirtError) -> Int {
        let count = Int(try uint32())
        guard count <= max, count <= remaining / elementSize else { throw XDRReader.failure }
        return count
    }
}

extension XDRReader {
    /// Takes `count` bytes and their padding to a multiple of four.
    private mutating func take(_ count: Int) throws(VirtError) -> Range<Int> {
        guard count <= remaining, (count + 3) & ~3 <= remaining else { throw XDRReader.failure }
        let start = position
        position += (count + 3) & ~3
        return start..<(start + count)
    }

    private mutating func length(max: Int) throws(VirtError) -> Int {
        let length = Int(try uint32())
        guard length <= max else { throw XDRReader.failure }
        return length
    }

    /// UTF-8 text without NUL, at most `max` bytes of it.
    package mutating func string(max: Int) throws(VirtError) -> String {
        let range = try take(try length(max: max))
        if range.isEmpty { return "" }
        let text = unsafe bytes.withUnsafeBytes { all in unsafe validText(UnsafeRawBufferPointer(rebasing: all[range]))
        }
        guard let text else { throw XDRReader.failure }
        return text
    }

    package mutating func optionalString(max: Int) throws(VirtError) -> String? {
        try bool() ? try string(max: max) : nil
    }

    /// Variable-length opaque data.
    package mutating func opaque(max: Int) throws(VirtError) -> [UInt8] {
        try opaque(count: try length(max: max))
    }

    /// Fixed-length opaque data.
    package mutating func opaque(count: Int) throws(VirtError) -> [UInt8] {
        let range = try take(count)
        return unsafe bytes.withUnsafeBytes { unsafe Array($0[range]) }
    }

    /// What is left, as it is: the data of a stream packet.
    package mutating func rest() -> ArraySlice<UInt8> {
        let start = bytes.startIndex + position
        position = size
        return bytes[start..<bytes.endIndex]
    }

    package mutating func uuid() throws(VirtError) -> UUID {
        UUID(high: try uint64(), low: try uint64())
    }

    /// `elementSize` is the least that an element takes on the wire.
    package mutating func array<Element: XDRCodable>(
        of: Element.Type, max: Int, elementSize: Int
    ) throws(VirtError) -> [Element] {
        let count = try count(max: max, elementSize: elementSize)
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try Element(from: &self)) }
        return elements
    }

    package mutating func optional<Value: XDRCodable>(_: Value.Type) throws(VirtError) -> Value? {
        try bool() ? try Value(from: &self) : nil
    }

    package mutating func strings(max: Int, length: Int) throws(VirtError) -> [String] {
        let count = try count(max: max, elementSize: 4)
        var elements: [String] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try string(max: length)) }
        return elements
    }

    package mutating func uuids(max: Int) throws(VirtError) -> [UUID] {
        let count = try count(max: max, elementSize: 16)
        var elements: [UUID] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try uuid()) }
        return elements
    }

    package mutating func int32s(max: Int) throws(VirtError) -> [Int32] {
        try integers(try count(max: max, elementSize: 4))
    }

    package mutating func uint32s(max: Int) throws(VirtError) -> [UInt32] {
        try integers(try count(max: max, elementSize: 4))
    }

    package mutating func int64s(max: Int) throws(VirtError) -> [Int64] {
        try integers(try count(max: max, elementSize: 8))
    }

    package mutating func uint64s(max: Int) throws(VirtError) -> [UInt64] {
        try integers(try count(max: max, elementSize: 8))
    }

    private mutating func integers<T: FixedWidthInteger & BitwiseCopyable>(_ count: Int) throws(VirtError) -> [T] {
        let width = MemoryLayout<T>.size
        let range = try take(count * width)
        return unsafe bytes.withUnsafeBytes { all in
            (0..<count).map {
                unsafe T(bigEndian: all.loadUnaligned(fromByteOffset: range.lowerBound + $0 * width, as: T.self))
            }
        }
    }

    /// `char x<max>`: four bytes per character.
    package mutating func int8s(max: Int) throws(VirtError) -> [Int8] {
        try int8s(count: try count(max: max, elementSize: 4))
    }

    /// `char x[count]`: four bytes per character.
    package mutating func int8s(count: Int) throws(VirtError) -> [Int8] {
        guard count <= remaining / 4 else { throw XDRReader.failure }
        let words: [UInt32] = try integers(count)
        return words.map { Int8(truncatingIfNeeded: $0) }
    }
}

/// The text if it is UTF-8 without NUL. Decoding replaces what is wrong, so only correct text keeps its bytes (this
/// is faster than the validating initializer, which is not specialized).
private func validText(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard unsafe !containsNUL(bytes) else { return nil }
    let text = unsafe String(decoding: bytes, as: UTF8.self)
    let isSame = unsafe text.utf8.withContiguousStorageIfAvailable { own in
        guard own.count == bytes.count, let left = own.baseAddress, let right = bytes.baseAddress else { return false }
        return unsafe memcmp(left, right, own.count) == 0
    }
    return isSame == true ? text : nil
}
