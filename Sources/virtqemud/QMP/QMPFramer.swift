package import VirtCore

/// Cuts QMP's byte stream into lines. Holds at most one line of the limit's length.
package struct QMPFramer: Sendable {
    private var buffer: [UInt8] = []
    /// Everything before it was searched already.
    private var searched = 0
    private let limit: Int

    /// - Parameter limit: the longest line in bytes that is accepted.
    package init(limit: Int) {
        self.limit = limit
    }

    /// The bytes held back because their line isn't complete.
    package var pending: Int { buffer.count }

    /// Takes bytes and hands each complete line on, without its line break. Empty lines are skipped.
    package mutating func feed(
        _ bytes: UnsafeRawBufferPointer, line: (ArraySlice<UInt8>) throws(VirtError) -> Void
    ) throws(VirtError) {
        unsafe buffer.append(contentsOf: bytes)
        var start = 0
        while let end = buffer[searched...].firstIndex(of: 0x0A) {
            let stop = end > start && buffer[end - 1] == 0x0D ? end - 1 : end
            if stop > start { try line(buffer[start..<stop]) }
            start = end + 1
            searched = start
        }
        buffer.removeFirst(start)
        searched = buffer.count
        if buffer.isEmpty, buffer.capacity > 1 << 20 { buffer = [] }
        guard buffer.count <= limit else {
            throw VirtError(.internalError, .qemu, "No complete monitor response found in \(limit) bytes")
        }
    }
}
