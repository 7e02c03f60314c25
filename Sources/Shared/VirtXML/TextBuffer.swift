/// Text that grows at its end, and is cut back where an element stayed empty. Most of printing a document is appending a
/// few bytes, so what belongs together is appended at once: room is made and looked for once.
@usableFromInline
struct TextBuffer {
    /// Written up to `count`.
    private var storage: [UInt8]
    @usableFromInline private(set) var count = 0

    @usableFromInline
    init(capacity: Int) {
        storage = [UInt8](repeating: 0, count: max(1, capacity))
    }

    @usableFromInline
    var bytes: [UInt8] { Array(storage[..<count]) }

    @usableFromInline
    var text: String { String(decoding: storage[..<count], as: UTF8.self) }

    @usableFromInline
    mutating func append(_ text: StaticString) {
        unsafe extend(by: text.utf8CodeUnitCount) { room in unsafe room.put(text) }
    }

    mutating func append(_ text: UnsafeBufferPointer<UInt8>) {
        unsafe extend(by: text.count) { room in unsafe room.put(text) }
    }

    @usableFromInline
    mutating func append(_ byte: UInt8) {
        count += 1
        if count > storage.count { grow() }
        storage[count - 1] = byte
    }

    /// A tag, as far as its name: what ends the line before, two spaces for each level, the bracket, the name, and
    /// what follows it.
    mutating func appendTag(
        _ lead: StaticString, levels: Int, _ bracket: StaticString, _ name: UnsafeBufferPointer<UInt8>,
        _ end: StaticString
    ) {
        let indent = 2 * max(0, levels)
        let marks = lead.utf8CodeUnitCount + bracket.utf8CodeUnitCount + end.utf8CodeUnitCount
        unsafe extend(by: marks + indent + name.count) { room in
            unsafe room.put(lead)
            unsafe room.put(UInt8(ascii: " "), count: indent)
            unsafe room.put(bracket)
            unsafe room.put(name)
            unsafe room.put(end)
        }
    }

    /// ` name='`.
    mutating func beginAttribute(_ name: StaticString) {
        unsafe extend(by: name.utf8CodeUnitCount + 3) { room in
            unsafe room.put(UInt8(ascii: " "), count: 1)
            unsafe room.put(name)
            unsafe room.put("='")
        }
    }

    mutating func append<T: FixedWidthInteger>(_ value: T, _ format: XMLFormat) {
        switch format {
        case .hex(let width) where value >= 0:
            append("0x")
            append(value.magnitude, base: 16, width: width)
        case .upperHex(let width) where value >= 0:
            append("0x")
            append(value.magnitude, base: 16, width: width, letters: UInt8(ascii: "A"))
        case .octal(let width) where value >= 0: append(value.magnitude, base: 8, width: width)
        case .plain, .onOff, .anyBase, .hex, .upperHex, .octal:
            if value < 0 { append("-") }
            append(value.magnitude, base: 10)
        }
    }

    /// At least `width` digits.
    private mutating func append<T: FixedWidthInteger & UnsignedInteger>(
        _ value: T, base: T, width: Int = 1, letters: UInt8 = UInt8(ascii: "a")
    ) {
        // As many as a 64-bit number has in base 8, and more than any width that is asked for.
        var digits = InlineArray<24, UInt8>(repeating: UInt8(ascii: "0"))
        var start = digits.count
        var rest = value
        repeat {
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: base)
            let digit = UInt8(truncatingIfNeeded: remainder)
            start -= 1
            digits[start] = digit < 10 ? UInt8(ascii: "0") + digit : letters + digit - 10
            rest = quotient
        } while rest > 0
        start = min(start, max(0, digits.count - width))
        unsafe digits.span.extracting(start...).withUnsafeBufferPointer { unsafe append($0) }
    }

    /// Forgets what was written behind `count` bytes.
    @usableFromInline
    mutating func truncate(to count: Int) {
        if count >= 0, count < self.count { self.count = count }
    }

    /// Room for `size` bytes more, which `write` fills.
    private mutating func extend(by size: Int, _ write: (inout Room) -> Void) {
        let start = count
        count += size
        if count > storage.count { grow() }
        unsafe storage.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            var room = unsafe Room(next: base + start)
            unsafe write(&room)
            unsafe assert(room.next == base + start + size, "another size was announced")
        }
    }

    private mutating func grow() {
        storage.append(contentsOf: repeatElement(0, count: max(count - storage.count, storage.count)))
    }

    /// Where the next bytes go. Who asked for the room has counted them.
    @unsafe private struct Room {
        var next: UnsafeMutablePointer<UInt8>

        mutating func put(_ text: UnsafeBufferPointer<UInt8>) {
            guard let source = text.baseAddress else { return }
            unsafe next.update(from: source, count: text.count)
            unsafe next += text.count
        }

        mutating func put(_ text: StaticString) { text.withUTF8Buffer { unsafe put($0) } }

        mutating func put(_ byte: UInt8, count: Int) {
            unsafe next.update(repeating: byte, count: count)
            unsafe next += count
        }
    }
}
