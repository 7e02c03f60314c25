import VirtRPC
import VirtWire

extension HandlerTable {
    /// A handler that changes a domain: once it has begun it goes on to its end, whether or not the client still waits.
    ///
    /// A client that goes away cancels its tasks; half a start or half an end would be worse than one that nobody
    /// asked about any more.
    mutating func onChange<P: Procedure>(
        _ procedure: P.Type, _ body: @escaping @Sendable (P.Arguments, Caller) async throws -> P.Reply
    ) where P.Arguments: Sendable, P.Reply: Sendable {
        onAsync(procedure) { arguments, caller in
            try await Task(executorPreference: caller.client.loop) { try await body(arguments, caller) }.value
        }
    }
}
