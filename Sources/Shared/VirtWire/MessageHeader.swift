package import VirtCore

/// The header of every message (virNetMessageHeader); on the wire the length word of the whole message precedes it.
@usableFromInline
package struct MessageHeader: XDRCodable {
    /// What a message is (virNetMessageType). Any number can arrive.
    @usableFromInline
    package struct Kind: RawRepresentable, Hashable, Sendable {
        @usableFromInline
        package let rawValue: Int32
        @inlinable
        package init(rawValue: Int32) { self.rawValue = rawValue }
        @inlinable
        package static func == (left: Kind, right: Kind) -> Bool { left.rawValue == right.rawValue }

        @inlinable
        package static var call: Kind { Kind(rawValue: 0) }
        @inlinable
        package static var reply: Kind { Kind(rawValue: 1) }
        /// An event, and every keepalive message.
        @inlinable
        package static var message: Kind { Kind(rawValue: 2) }
        @inlinable
        package static var stream: Kind { Kind(rawValue: 3) }
        @inlinable
        package static var callWithDescriptors: Kind { Kind(rawValue: 4) }
        @inlinable
        package static var replyWithDescriptors: Kind { Kind(rawValue: 5) }
        @inlinable
        package static var streamHole: Kind { Kind(rawValue: 6) }
    }

    /// How a call or a stream packet went (virNetMessageStatus). Any number can arrive.
    @usableFromInline
    package struct Status: RawRepresentable, Hashable, Sendable {
        @usableFromInline
        package let rawValue: Int32
        @inlinable
        package init(rawValue: Int32) { self.rawValue = rawValue }
        @inlinable
        package static func == (left: Status, right: Status) -> Bool { left.rawValue == right.rawValue }

        @inlinable
        package static var ok: Status { Status(rawValue: 0) }
        @inlinable
        package static var error: Status { Status(rawValue: 1) }
        /// More of a stream's data.
        @inlinable
        package static var `continue`: Status { Status(rawValue: 2) }
    }

    /// Bytes of the length word and the header.
    package static let size = 28

    package var program: UInt32
    package var version: UInt32
    package var procedure: Int32
    package var type: Kind
    /// Chosen by the caller; replies and stream packets repeat it; 0 in events.
    package var serial: UInt32
    package var status: Status

    package init(
        program: UInt32, version: UInt32, procedure: Int32, type: Kind, serial: UInt32, status: Status = .ok
    ) {
        self.program = program
        self.version = version
        self.procedure = procedure
        self.type = type
        self.serial = serial
        self.status = status
    }

    /// The header of a call (or, with another type, an event or a stream packet) of a procedure.
    package init(_ procedure: ProcedureDescriptor, type: Kind, serial: UInt32, status: Status = .ok) {
        self.init(
            program: procedure.program, version: procedure.version, procedure: procedure.number, type: type,
            serial: serial, status: status)
    }

    /// The header that answers this one: same program, version, procedure and serial.
    package func answer(_ type: Kind, _ status: Status) -> MessageHeader {
        MessageHeader(
            program: program, version: version, procedure: procedure, type: type, serial: serial, status: status)
    }

    /// Reads the 24 bytes behind the length word.
    package init(from reader: inout XDRReader) throws(VirtError) {
        program = try reader.uint32()
        version = try reader.uint32()
        procedure = try reader.int32()
        type = Kind(rawValue: try reader.int32())
        serial = try reader.uint32()
        status = Status(rawValue: try reader.int32())
    }

    package func encode(into writer: inout XDRWriter) {
        writer.uint32(program)
        writer.uint32(version)
        writer.int32(procedure)
        writer.int32(type.rawValue)
        writer.uint32(serial)
        writer.int32(status.rawValue)
    }
}

/// Limits of the message layer.
package enum MessageLimit {
    /// Largest message, its length word included.
    package static let message = 33_554_436
    /// Largest payload.
    package static let payload = 33_554_408
    /// Stream data goes out in pieces of at most this size.
    package static let streamChunk = 262_120
    /// Longest text in an error.
    package static let string = 4_194_304
    /// Most descriptors with one message.
    package static let descriptors = 32
}
