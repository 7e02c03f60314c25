import Glibc
package import VirtCore

/// Writes XDR (RFC 4506) into one growing buffer.
///
/// What cannot be sent (an array over its limit, text over 4 MB) is remembered as `failure` and told when the frame
/// is finished, so that encoding itself stays free of error handling.
package struct XDRWriter {
    package private(set) var bytes: [UInt8] = []
    /// The first thing that did not fit the protocol's limits.
    package private(set) var failure: VirtError?

    package init(capacity: Int = 256) {
        bytes.reserveCapacity(capacity)
    }

    /// Remembers that the message cannot be sent.
    package mutating func fail(_ reason: String) {
        if failure == nil { failure = VirtError(.rpc, .rpc, reason) }
    }

    package mutating func uint32(_ value: UInt32) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func uint64(_ value: UInt64) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
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
        guard offset >= 0, offset + 4 <= bytes.count else { return }
        withUnsafeBytes(of: value.bigEndian) { bytes.replaceSubrange(offset..<(offset + 4), with: $0) }
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
        bytes.append(contentsOf: data)
    }

    package mutating func raw(_ data: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: data)
    }

    private mutating func pad(_ count: Int) {
        switch count & 3 {
        case 1: bytes.append(contentsOf: [0, 0, 0] as [UInt8])
        case 2: bytes.append(contentsOf: [0, 0] as [UInt8])
        case 3: bytes.append(0)
        default: break
        }
    }

    package mutating func string(_ value: String, max: Int) {
        var value = value
        value.withUTF8 { text in
            guard text.count <= max, !containsNUL(UnsafeRawBufferPointer(text)) else {
                return fail("Unable to encode message payload")
            }
            uint32(UInt32(truncatingIfNeeded: text.count))
            bytes.append(contentsOf: text)
            pad(text.count)
        }
    }

    package mutating func optionalString(_ value: String?, max: Int) {
        bool(value != nil)
        if let value { string(value, max: max) }
    }

    /// Variable-length opaque data.
    package mutating func opaque(_ data: [UInt8], max: Int, _ field: StaticString) {
        guard count(data.count, max: max, field) else { return }
        bytes.append(contentsOf: data)
        pad(data.count)
    }

    /// Fixed-length opaque data.
    package mutating func opaque(_ data: [UInt8], count: Int) {
        guard data.count == count else { return fail("Unable to encode message payload") }
        bytes.append(contentsOf: data)
        pad(count)
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
    return memchr(base, 0, text.count) != nil
}
