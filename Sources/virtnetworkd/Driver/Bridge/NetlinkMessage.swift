/// The payload of a netlink message: a fixed header and attributes, all aligned to four bytes.
struct NetlinkMessage: Equatable, Sendable {
    private(set) var bytes: [UInt8]

    /// Starts with the bytes of a fixed header (ifinfomsg, ifaddrmsg, rtmsg).
    init<Header: BitwiseCopyable>(_ header: Header) {
        bytes = unsafe withUnsafeBytes(of: header) { unsafe Array($0) }
        align()
    }

    private mutating func align() { while bytes.count % 4 != 0 { bytes.append(0) } }

    /// Adds an attribute; one that is longer than its length field can say is cut by the caller's checks.
    mutating func add(_ type: Int, _ value: [UInt8]) {
        let length = UInt16(clamping: value.count + 4)
        append(length)
        append(UInt16(truncatingIfNeeded: type))
        bytes += value
        align()
    }

    mutating func add(_ type: Int, number value: some FixedWidthInteger & BitwiseCopyable) {
        unsafe add(type, withUnsafeBytes(of: value) { unsafe Array($0) })
    }

    /// A text with its NUL.
    mutating func add(_ type: Int, text: String) { add(type, Array(text.utf8) + [0]) }

    /// An attribute that holds attributes.
    mutating func nest(_ type: Int, _ body: (inout NetlinkMessage) -> Void) {
        var inner = NetlinkMessage()
        body(&inner)
        add(type, inner.bytes)
    }

    private init() { bytes = [] }

    private mutating func append(_ value: UInt16) { unsafe withUnsafeBytes(of: value) { unsafe bytes += $0 } }
}
