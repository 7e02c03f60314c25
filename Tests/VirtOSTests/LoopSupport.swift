import Testing
import VirtCore

@testable import VirtOS

extension EventLoop {
    /// Runs `body` on the loop and waits for its result.
    func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            execute { continuation.resume(with: Result { try body() }) }
        }
    }

    /// Runs `body` on the loop and waits until it calls what it is given.
    func waitFor<T: Sendable>(
        _ body: @escaping @Sendable (@escaping @Sendable (T) -> Void) throws -> Void
    ) async throws
        -> T
    {
        try await withCheckedThrowingContinuation { continuation in
            execute {
                do { try body { continuation.resume(returning: $0) } } catch { continuation.resume(throwing: error) }
            }
        }
    }
}

/// Mutable state that only one loop touches.
final class LoopState<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}
