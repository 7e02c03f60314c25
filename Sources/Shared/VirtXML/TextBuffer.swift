/// Text that grows at its end, and is cut back where an element stayed empty. Most of printing a document is appending a
/// few bytes, so that is no more than a copy.
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
    mutating func append(_ text: UnsafeBufferPointer<UInt8>) {
        let offset = count
        count += text.count
        if count > storage.count { grow() }
        unsafe storage.withUnsafeMutableBufferPointer { bytes in
            guard let target = bytes.baseAddress, let source = text.baseAddress else { return }
            unsafe (target + offset).update(from: source, count: text.count)
        }
    }

    @usableFromInline
    mutating func append(_ text: StaticString) { text.withUTF8Buffer { unsafe append($0) } }

    @usableFromInline
    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { unsafe append($0) }
    }

    @usableFromInline
    mutating func append(_ byte: UInt8) {
        count += 1
        if count > storage.count { grow() }
        storage[count - 1] = byte
    }

    /// Two spaces for each level.
    @usableFromInline
    mutating func indent(_ levels: Int) {
        let offset = count
        count += 2 * max(0, levels)
        if count > storage.count { grow() }
        for index in offset..<count { storage[index] = UInt8(ascii: " ") }
    }

    /// ` name='`, at once.
    @usableFromInline
    mutating func beginAttribute(_ name: StaticString) {
        append(UInt8(ascii: " "))
        append(name)
        append(UInt8(ascii: "="))
        append(UInt8(ascii: "'"))
    }

    /// Forgets what was written behind `count` bytes.
    @usableFromInline
    mutating func truncate(to count: Int) {
        if count >= 0, count < self.count { self.count = count }
    }

    private mutating func grow() {
        storage.append(contentsOf: repeatElement(0, count: max(count - storage.count, storage.count)))
    }
}
