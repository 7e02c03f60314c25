package import VirtCore

extension XDRWriter {
    /// A whole message: length word, header, descriptor count if the type has one, and what `encode` writes, all in
    /// one buffer. Throws a libvirt RPC error (code 39) when the content exceeds the protocol's limits.
    package static func frame(
        _ header: MessageHeader, descriptors: Int = 0, capacity: Int = 256, _ encode: (inout XDRWriter) -> Void
    ) throws(VirtError) -> [UInt8] {
        var writer = XDRWriter(capacity: capacity)
        writer.begin(header, descriptors: descriptors)
        encode(&writer)
        return try writer.finish()
    }

    /// A whole message with `payload` as its content.
    package static func frame<Payload: XDRCodable>(
        _ header: MessageHeader, _ payload: Payload, descriptors: Int = 0
    ) throws(VirtError) -> [UInt8] {
        var writer = XDRWriter()
        writer.begin(header, descriptors: descriptors)
        payload.encode(into: &writer)
        return try writer.finish()
    }

    /// A message without content: finished streams, keepalive.
    package static func frame(_ header: MessageHeader) -> [UInt8] {
        var writer = XDRWriter(capacity: MessageHeader.size)
        writer.begin(header)
        writer.patchLength()
        return writer.takeBytes()
    }

    /// The answer that a call or a stream packet failed. It always fits.
    package static func frame(_ header: MessageHeader, error: VirtError) -> [UInt8] {
        var writer = XDRWriter(capacity: 512)
        writer.begin(header)
        WireError(error).encode(into: &writer)
        writer.patchLength()
        return writer.takeBytes()
    }

    /// A packet of a stream's data, at most `MessageLimit.streamChunk` bytes of it.
    package static func frame(_ header: MessageHeader, data: some Collection<UInt8>) -> [UInt8] {
        var writer = XDRWriter(capacity: MessageHeader.size + data.count)
        writer.begin(header)
        writer.raw(data)
        writer.patchLength()
        return writer.takeBytes()
    }

    /// Starts a message in an empty buffer: room for the length, then the header.
    package mutating func begin(_ header: MessageHeader, descriptors: Int = 0) {
        uint32(0)
        header.encode(into: &self)
        if header.type == .callWithDescriptors || header.type == .replyWithDescriptors {
            _ = count(descriptors, max: MessageLimit.descriptors, "file descriptors")
        }
    }

    /// Completes the message that `begin` started.
    package mutating func finish() throws(VirtError) -> [UInt8] {
        if count > MessageLimit.message { fail("Unable to encode message payload") }
        if let failure { throw failure }
        patchLength()
        return takeBytes()
    }

    /// Writes the length of what is there into its first word.
    package mutating func patchLength() {
        overwrite(at: 0, UInt32(truncatingIfNeeded: count))
    }
}
