import Glibc
import Synchronization
import VirtCore

/// Threads for work that waits: fsync, look-ups, locks, directory walks. They start on demand, up to a bound, and end
/// after some idle seconds; work beyond the bound queues.
package final class BlockingPool: Sendable {
    package static let shared = BlockingPool(maximumThreads: 32)

    /// How busy a pool is and was.
    package struct Usage: Equatable, Sendable {
        package var threads = 0
        package var idleThreads = 0
        package var waiting = 0
        package var mostWaiting = 0
    }

    private struct State {
        var usage = Usage()
        var waiting: [Work] = []
        /// The first of `waiting` that was not taken yet.
        var next = 0
    }
    private typealias Work = @Sendable () -> Void

    private enum Step {
        case run(Work)
        case end
    }

    private let state = Monitor(State())
    private let maximumThreads: Int
    private let idleTime: Duration

    package init(maximumThreads: Int, idleTime: Duration = .seconds(5)) {
        self.maximumThreads = max(1, maximumThreads)
        self.idleTime = idleTime
    }

    package var usage: Usage { state.withLock { state, _ in state.usage } }

    /// Runs `body` on a thread of the pool. A task that is cancelled before its turn came throws `CancellationError`
    /// and `body` never runs; once it runs, it is waited for.
    package nonisolated(nonsending) func run<T: Sendable>(
        _ body: @escaping @Sendable () throws -> T
    ) async throws -> T {
        let isCancelled = Flag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                submit {
                    guard !isCancelled.isSet else { return continuation.resume(throwing: CancellationError()) }
                    continuation.resume(with: Result { try body() })
                }
            }
        } onCancel: {
            isCancelled.set()
        }
    }

    private func submit(_ work: @escaping Work) {
        let mustStart = state.withLock { state, wakeOne in
            state.waiting.append(work)
            state.usage.waiting += 1
            state.usage.mostWaiting = max(state.usage.mostWaiting, state.usage.waiting)
            wakeOne()
            guard state.usage.waiting > state.usage.idleThreads, state.usage.threads < maximumThreads else {
                return false
            }
            state.usage.threads += 1
            return true
        }
        if mustStart { startThread() }
    }

    private func startThread() {
        let (thread, _) = SystemThread.start(name: "blocking") { [self] in serve() }
        if let thread {
            pthread_detach(thread)
            return
        }
        // No thread to be had: what waits is done by the others, or, without any, here.
        let isLast = state.withLock { state, _ in
            state.usage.threads -= 1
            return state.usage.threads == 0
        }
        if isLast { while let work = state.withLock({ state, _ in Self.take(&state) }) { work() } }
    }

    private func serve() {
        while case .run(let work) = nextStep() { work() }
    }

    private func nextStep() -> Step {
        state.withLock { state, _ in state.usage.idleThreads += 1 }
        return state.wait(patience: idleTime) { state, isLate in
            if let work = Self.take(&state) {
                state.usage.idleThreads -= 1
                return .run(work)
            }
            guard isLate else { return nil }
            state.usage.idleThreads -= 1
            state.usage.threads -= 1
            return .end
        }
    }

    private static func take(_ state: inout State) -> Work? {
        guard state.next < state.waiting.count else { return nil }
        let work = state.waiting[state.next]
        state.next += 1
        state.usage.waiting -= 1
        // Taking from the front costs nothing this way, and the space comes back in strides.
        if state.next == state.waiting.count || state.next >= 1024 {
            state.waiting.removeFirst(state.next)
            state.next = 0
        }
        return work
    }
}

/// A flag that is set once.
final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
