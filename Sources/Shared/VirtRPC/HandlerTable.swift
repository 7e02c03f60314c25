import VirtCore
package import VirtOS
package import VirtWire

/// The handlers of one program, each tied by its procedure's type to the right arguments and reply.
///
/// A procedure of the program without a handler is answered with VIR_ERR_NO_SUPPORT.
package struct HandlerTable: Sendable {
    /// Decodes the arguments and appends the encoded reply; runs on the loop and never waits.
    typealias Inline = @Sendable (_ payload: ArraySlice<UInt8>, Caller, _ reply: inout XDRWriter) throws -> Void
    /// Decodes the arguments now; what it returns runs as a child task.
    typealias Deferred = @Sendable (_ payload: ArraySlice<UInt8>, Caller) throws -> @Sendable () async throws -> Answer

    enum Handler: Sendable {
        case inline(Inline)
        case deferred(Deferred)
    }

    /// What a child task answers with.
    struct Answer: Sendable {
        var encode: @Sendable (inout XDRWriter) throws -> Void
        var descriptors: [DescriptorBox] = []
        var stream: StreamBody?
    }

    struct StreamBody: Sendable {
        let isSparse: Bool
        let run: @Sendable (ServerStream) async throws -> Void
    }

    package let program: ProgramDescription
    private var handlers: [Handler?]
    private var descriptors: [ProcedureDescriptor?]

    package init(_ program: ProgramDescription) {
        self.program = program
        let count = Int(program.procedures.map(\.number).max() ?? 0) + 1
        handlers = Array(repeating: nil, count: count)
        descriptors = Array(repeating: nil, count: count)
        for procedure in program.procedures { descriptors[Int(procedure.number)] = procedure }
    }

    /// A handler that answers from what is in memory, on the connection's loop.
    package mutating func on<P: Procedure>(
        _ procedure: P.Type, _ body: @escaping @Sendable (P.Arguments, Caller) throws -> P.Reply
    ) {
        install(
            P.descriptor,
            .inline { payload, caller, writer in
                try body(P.arguments(payload, caller), caller).encode(into: &writer)
            })
    }

    /// A handler that waits for something: a child task of the connection.
    package mutating func onAsync<P: Procedure>(
        _ procedure: P.Type, _ body: @escaping @Sendable (P.Arguments, Caller) async throws -> P.Reply
    ) {
        install(
            P.descriptor,
            .deferred { payload, caller in
                let arguments = try P.arguments(payload, caller)
                return {
                    let reply = try await body(arguments, caller)
                    return Answer(encode: { reply.encode(into: &$0) })
                }
            })
    }

    /// A handler that waits for something and then writes the encoded reply itself: for replies that are kept encoded.
    package mutating func onEncoded<P: Procedure>(
        _ procedure: P.Type,
        _ body: @escaping @Sendable (P.Arguments, Caller) async throws -> @Sendable (inout XDRWriter) -> Void
    ) {
        install(
            P.descriptor,
            .deferred { payload, caller in
                let arguments = try P.arguments(payload, caller)
                return { Answer(encode: try await body(arguments, caller)) }
            })
    }

    /// A handler whose reply carries descriptors.
    package mutating func onDescriptors<P: Procedure>(
        _ procedure: P.Type,
        _ body: @escaping @Sendable (P.Arguments, Caller) async throws -> (P.Reply, [DescriptorBox])
    ) {
        install(
            P.descriptor,
            .deferred { payload, caller in
                let arguments = try P.arguments(payload, caller)
                return {
                    let (reply, descriptors) = try await body(arguments, caller)
                    return Answer(encode: { reply.encode(into: &$0) }, descriptors: descriptors)
                }
            })
    }

    /// A handler that opens a stream; see `StreamStart`.
    package mutating func onStream<P: Procedure>(
        _ procedure: P.Type, _ body: @escaping @Sendable (P.Arguments, Caller) async throws -> StreamStart<P.Reply>
    ) {
        install(
            P.descriptor,
            .deferred { payload, caller in
                let arguments = try P.arguments(payload, caller)
                return {
                    let start = try await body(arguments, caller)
                    return Answer(
                        encode: { start.reply.encode(into: &$0) },
                        stream: StreamBody(isSparse: start.isSparse, run: start.run))
                }
            })
    }

    /// The rules of a procedure, or nil when the program has none of that number.
    package func descriptor(_ number: Int32) -> ProcedureDescriptor? {
        guard number >= 0, Int(number) < descriptors.count else { return nil }
        return descriptors[Int(number)]
    }

    /// Whether a procedure has a handler of its own.
    package func isHandled(_ number: Int32) -> Bool { handler(number) != nil }

    func handler(_ number: Int32) -> Handler? {
        guard number >= 0, Int(number) < handlers.count else { return nil }
        return handlers[Int(number)]
    }

    private mutating func install(_ descriptor: ProcedureDescriptor, _ handler: Handler) {
        handlers[Int(descriptor.number)] = handler
    }
}

extension Procedure {
    /// Decodes a call's arguments and applies the read-only rule that depends on its flags.
    static func arguments(_ payload: ArraySlice<UInt8>, _ caller: Caller) throws(VirtError) -> Arguments {
        let arguments = try Arguments(decoding: payload)
        if caller.isReadOnly, !descriptor.readOnly.allows(flags: flags(of: arguments)) {
            throw .readOnly(descriptor)
        }
        return arguments
    }
}

/// The reply of a procedure that opens a stream, and the task that then feeds or drains it.
///
/// `run` starts once the reply is written. When it returns, a stream towards the client ends with the empty packet and
/// the client's finish is answered; when it throws, the client gets the error. An abort or a disconnect cancels it.
package struct StreamStart<Reply: Sendable>: Sendable {
    let reply: Reply
    let isSparse: Bool
    let run: @Sendable (ServerStream) async throws -> Void

    /// - Parameter isSparse: the call asked for holes (its SPARSE_STREAM flag); else a hole packet ends the connection.
    package init(_ reply: Reply, isSparse: Bool = false, run: @escaping @Sendable (ServerStream) async throws -> Void) {
        self.reply = reply
        self.isSparse = isSparse
        self.run = run
    }
}

/// Who calls, and what came with the call.
package struct Caller: Sendable {
    package let client: ClientHandle
    package let descriptors: [DescriptorBox]

    package init(client: ClientHandle, descriptors: [DescriptorBox] = []) {
        self.client = client
        self.descriptors = descriptors
    }

    package var identity: Identity { client.identity }
    package var isReadOnly: Bool { client.isReadOnly }
}

/// One item of a stream's incoming direction.
package enum StreamItem: Sendable, Equatable {
    case data([UInt8])
    /// So many bytes that are not there.
    case hole(Int64)
}

/// The daemon's end of an open stream; used from the stream's own task.
package final class ServerStream: Sendable {
    private let connection: Connection
    private let serial: UInt32

    init(connection: Connection, serial: UInt32) {
        self.connection = connection
        self.serial = serial
    }

    /// What the client sent next; nil once it has finished.
    package func read() async throws -> StreamItem? {
        try await connection.readStream(serial)
    }

    /// Sends bytes, in packets that any peer takes; waits while the client is not reading.
    package func write(_ bytes: [UInt8]) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(StreamPacket.largestChunk)
            try await connection.writeStream(serial, .data(chunk))
            rest = rest.dropFirst(chunk.count)
        }
    }

    /// Sends a hole of so many bytes, in a stream that the client asked to be sparse.
    package func writeHole(_ length: Int64) async throws {
        try await connection.writeStream(serial, .hole(length))
    }
}

extension ProcedureDescriptor {
    /// The function of libvirt's library behind the call, which clients know it by.
    var apiName: String { api.isEmpty ? name : api }
}
