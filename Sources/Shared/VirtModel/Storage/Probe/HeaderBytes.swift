/// The first bytes of an image file, read at any place without leaving them.
struct HeaderBytes {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { bytes.count }

    enum Order {
        case big
        case little
    }

    /// A number of so many bytes; nil beyond the end.
    func number(at offset: Int, size: Int, _ order: Order) -> UInt64? {
        guard let slice = slice(at: offset, count: size) else { return nil }
        let ordered = order == .big ? Array(slice) : slice.reversed()
        return ordered.reduce(0) { $0 << 8 | UInt64($1) }
    }

    func word(at offset: Int, _ order: Order) -> UInt32? {
        number(at: offset, size: 4, order).map { UInt32(truncatingIfNeeded: $0) }
    }

    func long(at offset: Int, _ order: Order) -> UInt64? { number(at: offset, size: 8, order) }

    func byte(at offset: Int) -> UInt8? { slice(at: offset, count: 1)?.first }

    /// So many bytes; nil beyond the end.
    func slice(at offset: Int, count: Int) -> ArraySlice<UInt8>? {
        guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else { return nil }
        return bytes[offset..<(offset + count)]
    }

    /// Text of so many bytes, up to a NUL.
    func text(at offset: Int, count: Int) -> String? {
        slice(at: offset, count: count).map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    func has(_ magic: [UInt8], at offset: Int) -> Bool {
        slice(at: offset, count: magic.count).map { $0.elementsEqual(magic) } ?? false
    }

    func has(_ magic: StaticString, at offset: Int) -> Bool { has(Array("\(magic)".utf8), at: offset) }
}
