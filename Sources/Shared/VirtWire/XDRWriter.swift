import Glibc
package import VirtCore

/// Writes XDR (RFC 4506) into one growing buffer.
///
/// What cannot be sent (an array over its limit, text over 4 MB) is remembered as `failure` and told when the frame
/// is finished, so that encoding itself stays free of error handling.
package struct XDRWriter {
    /// Written up to `end`, zero behind it: padding is there already.
    private var storage: [UInt8]
    private var end = 0
    /// The first thing that did not fit the protocol's limits.
    package private(set) var failure: VirtError?

    package init(capacity: Int = 256) {
        storage = [UInt8](repeating: 0, count: capacity)
    }

    /// Bytes written so far.
    package var count: Int { end }

    /// A copy of what was written so far.
    package var bytes: [UInt8] { Array(storage[..<end]) }

    /// What was written, without a copy. The writer is empty afterwards.
    package mutating func takeBytes() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &storage)
        taken.removeLast(taken.count - end)
        end = 0
        return taken
    }

    /// Remembers that the message cannot be sent.
    package mutating func fail(_ reason: String) {
        if failure == nil { failure = VirtError(.rpc, .rpc, reason) }
    }

    /// Makes room for `count` more bytes and returns where they go.
    private mutating func extend(by count: Int) -> Int {
        let offset = end
        end += count
        if end > storage.count { grow() }
        return offset
    }

    /// Makes room for `count` more bytes at once.
    package mutating func reserve(_ count: Int) {
        if end + count > storage.count { grow(to: end + count) }
    }

    private mutating func grow() { grow(to: max(storage.count * 2, end)) }

    private mutating func grow(to size: Int) {
        let larger = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            let kept = storage.count
            let target = UnsafeMutableRawBufferPointer(buffer)
            unsafe storage.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[kept...]).initializeMemory(
                as: UInt8.self, repeating: 0)
            count = size
        }
        storage = larger
    }

    package mutating func uint32(_ value: UInt32) {
        let offset = extend(by: 4)
        unsafe storage.withUnsafeMutableBytes {
            unsafe $0.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
        }
    }

    package mutating func uint64(_ value: UInt64) {
        let offset = extend(by: 8)
        unsafe storage.withUnsafeMutableBytes {
            unsafe $0.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
        }
    }

    package mutating func int32(_ value: Int32) {
        uint32(UInt32(bitPattern: value))
    }

    package mutating func int64(_ value: Int64) {
        uint64(UInt64(bitPattern: value))
    }

    package mutating func double(_ value: Double) {
        uint64(value.bitPattern)
    }

    /// Narrow integers take four bytes.
    package mutating func int8(_ value: Int8) {
        int32(Int32(value))
    }

    package mutating func uint8(_ value: UInt8) {
        uint32(UInt32(value))
    }

    package mutating func int16(_ value: Int16) {
        int32(Int32(value))
    }

    package mutating func uint16(_ value: UInt16) {
        uint32(UInt32(value))
    }

    package mutating func bool(_ value: Bool) {
        uint32(value ? 1 : 0)
    }

    /// Replaces the word at `offset`; nothing happens when there is none.
    mutating func overwrite(at offset: Int, _ value: UInt32) {
        guard offset >= 0, offset + 4 <= end else { return }
        unsafe storage.withUnsafeMutableBytes {
            unsafe $0.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
        }
    }

    /// The count of `field`'s elements; false (and a failure) when there are more than the protocol allows.
    package mutating func count(_ count: Int, max: Int, _ field: StaticString) -> Bool {
        guard count <= max else {
            fail("Too many \(field) '\(count)' for limit '\(max)'")
            return false
        }
        uint32(UInt32(truncatingIfNeeded: count))
        return true
    }
}

extension XDRWriter {
    /// Bytes as they are: the data of a stream packet.
    package mutating func raw(_ data: some Collection<UInt8>) {
        let offset = extend(by: data.count)
        unsafe storage.withUnsafeMutableBytes {
            unsafe UnsafeMutableRawBufferPointer(rebasing: $0[offset...]).copyBytes(from: data)
        }
    }

    /// Bytes with their padding.
    private mutating func padded(_ data: UnsafeRawBufferPointer) {
        let offset = extend(by: (data.count + 3) & ~3)
        unsafe storage.withUnsafeMutableBytes {
            unsafe UnsafeMutableRawBufferPointer(rebasing: $0[offset...]).copyMemory(from: data)
        }
    }

    package mutating func string(_ value: String, max: Int) {
        let isWritten: Void? = unsafe value.utf8.withContiguousStorageIfAvailable {
            unsafe put(UnsafeRawBufferPointer($0), max: max)
        }
        // Only strings bridged from elsewhere are not contiguous.
        if isWritten == nil { unsafe Array(value.utf8).withUnsafeBytes { unsafe put($0, max: max) } }
    }

    private mutating func put(_ text: UnsafeRawBufferPointer, max: Int) {
        guard text.count <= max, unsafe !containsNUL(text) else { return fail("Unable to encode message payload") }
        let offset = extend(by: (text.count + 7) & ~3)
        unsafe storage.withUnsafeMutableBytes { all in
            unsafe all.storeBytes(
                of: UInt32(truncatingIfNeeded: text.count).bigEndian, toByteOffset: offset, as: UInt32.self)
            unsafe UnsafeMutableRawBufferPointer(rebasing: all[(offset + 4)...]).copyMemory(from: text)
        }
    }

    package mutating func optionalString(_ value: String?, max: Int) {
        bool(value != nil)
        if let value { string(value, max: max) }
    }

    /// Variable-length opaque data.
    package mutating func opaque(_ data: [UInt8], max: Int, _ field: StaticString) {
        guard count(data.count, max: max, field) else { return }
        unsafe data.withUnsafeBytes { unsafe padded($0) }
    }

    /// Fixed-length opaque data.
    package mutating func opaque(_ data: [UInt8], count: Int) {
        guard data.count == count else { return fail("Unable to encode message payload") }
        unsafe data.withUnsafeBytes { unsafe padded($0) }
    }

    package mutating func uuid(_ value: UUID) {
        uint64(value.high)
        uint64(value.low)
    }

    package mutating func array<Element: XDRCodable>(_ elements: [Element], max: Int, _ field: StaticString) {
        guard count(elements.count, max: max, field) else { return }
        for element in elements { element.encode(into: &self) }
    }

    package mutating func optional<Value: XDRCodable>(_ value: Value?) {
        bool(value != nil)
        if let value { value.encode(into: &self) }
    }

    package mutating func strings(_ elements: [String], max: Int, length: Int, _ field: StaticString) {
        guard count(elements.count, max: max, field) else { return }
        for element in elements { string(element, max: length) }
    }

    package mutating func uuids(_ elements: [UUID], max: Int, _ field: StaticString) {
        guard count(elements.count, max: max, field) else { return }
        for element in elements { uuid(element) }
    }

    package mutating func int32s(_ elements: [Int32], max: Int, _ field: StaticString) {
        guard count(elements.count, max: max, field) else { return }
        for element in elements { int32(element) }
    }

    package mutating func uint32s(_ elements: [UInt32], max: Int, _ field: StaticString) {
        guard count(elements.count, max: max, field) else { return }
        for element in elements { uint32(element) }
    }

    package mutating func int64s(_ elements: [Int64], max: Int, _ field: StaticString) {
        guard count(elements.count, max: max, field) else { return }
        for element in elements { int64(element) }
    }

    package mutating func uint64s(_ elements: [UInt64], max: Int, _ field: StaticString) {
        guard count(elements.count, max: max, field) else { return }
        for element in elements { uint64(element) }
    }

    /// `char x<max>`: four bytes per character.
    package mutating func int8s(_ elements: [Int8], max: Int, _ field: StaticString) {
        guard count(elements.count, max: max, field) else { return }
        for element in elements { int8(element) }
    }

    /// `char x[count]`: four bytes per character; what is missing is sent as zero.
    package mutating func int8s(_ elements: [Int8], count: Int) {
        guard elements.count <= count else { return fail("Unable to encode message payload") }
        for element in elements { int8(element) }
        for _ in elements.count..<count { int8(0) }
    }
}

/// Text with NUL would end early for a client in C.
func containsNUL(_ text: UnsafeRawBufferPointer) -> Bool {
    guard let base = text.baseAddress else { return false }
    return unsafe memchr(base, 0, text.count) != nil
}
