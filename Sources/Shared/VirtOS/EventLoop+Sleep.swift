import Synchronization

extension EventLoop {
    /// Suspends the task for `duration`, by this loop's timers. Throws `CancellationError` as soon as it is cancelled.
    package nonisolated(nonsending) func sleep(for duration: Duration) async throws {
        try await sleep(until: .now() + duration)
    }

    /// Suspends the task until `deadline`, by this loop's timers.
    package nonisolated(nonsending) func sleep(until deadline: MonotonicTime) async throws {
        let sleeper = Sleeper()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                sleeper.start(continuation, on: self, until: deadline)
            }
        } onCancel: {
            sleeper.cancel()
        }
    }
}

/// One sleep: whichever of the timer and the cancellation comes first resumes the task.
private final class Sleeper: Sendable {
    private struct State {
        var continuation: CheckedContinuation<Void, any Error>?
        var timer: Timer?
        var isOver = false
    }
    private let state = Mutex(State())

    func start(_ continuation: CheckedContinuation<Void, any Error>, on loop: EventLoop, until deadline: MonotonicTime)
    {
        let isOver = state.withLock { state in
            if !state.isOver { state.continuation = continuation }
            return state.isOver
        }
        if isOver { return continuation.resume(throwing: CancellationError()) }
        if loop.inLoop { arm(loop, deadline) } else { loop.execute { self.arm(loop, deadline) } }
    }

    private func arm(_ loop: EventLoop, _ deadline: MonotonicTime) {
        state.withLock { state in
            guard !state.isOver else { return }
            state.timer = loop.schedule(at: deadline, name: "sleep") { self.finish()?.resume() }
        }
    }

    func cancel() { finish()?.resume(throwing: CancellationError()) }

    private func finish() -> CheckedContinuation<Void, any Error>? {
        let (continuation, timer) = state.withLock { state in
            defer { state = State(isOver: true) }
            return (state.continuation, state.timer)
        }
        timer?.cancel()
        return continuation
    }
}
