package import VirtCore

/// A gap in a stream's data (virNetStreamHole), sent only on streams whose call set the procedure's sparse flag.
package struct StreamHole: XDRCodable {
    /// Bytes of the gap, more than 0.
    package var length: Int64
    /// Always 0.
    package var flags: UInt32

    package init(length: Int64, flags: UInt32 = 0) {
        self.length = length
        self.flags = flags
    }

    package init(from reader: inout XDRReader) throws(VirtError) {
        length = try reader.int64()
        flags = try reader.uint32()
    }

    package func encode(into writer: inout XDRWriter) {
        writer.int64(length)
        writer.uint32(flags)
    }
}
