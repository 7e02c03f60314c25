import Synchronization
import VirtOS

/// Lets one job at a time pass, in the order in which they came.
final class JobLock: Sendable {
    private struct State {
        var isHeld = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    /// Runs `body` alone. Jobs are not cancelled while they wait: what changes a pool is seen through.
    nonisolated(nonsending) func run<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        await acquire()
        defer { release() }
        return try await body()
    }

    private nonisolated(nonsending) func acquire() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isHeld {
                    state.waiting.append(continuation)
                    return false
                }
                state.isHeld = true
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    private func release() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.waiting.isEmpty else {
                state.isHeld = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}

/// Runs `body` to its end even if the client that asked for it goes away: half a change is worse than an unseen one.
nonisolated(nonsending) func seenThrough<T: Sendable>(
    on loop: EventLoop, _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
    try await Task(executorPreference: loop) { try await body() }.value
}
