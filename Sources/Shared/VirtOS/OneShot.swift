import Synchronization

/// A value that arrives once and that any number of tasks wait for.
package final class OneShot<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiting: [ObjectIdentifier: CheckedContinuation<Value?, Never>] = [:]
        var callbacks: [@Sendable (Value) -> Void] = []
    }
    private let state = Mutex(State())

    package init() {}

    /// The value, if it has arrived.
    package var value: Value? { state.withLock { $0.value } }

    /// Hands the value to all who wait and will wait. Only the first call counts.
    package func fulfil(_ value: Value) {
        let audience = state.withLock { state -> State in
            guard state.value == nil else { return State() }
            defer { state = State(value: value) }
            return state
        }
        for waiter in audience.waiting.values { waiter.resume(returning: value) }
        for callback in audience.callbacks { callback(value) }
    }

    /// Calls `body` with the value once it arrives, on the thread that brings it; at once if it is here.
    package func whenFulfilled(_ body: @escaping @Sendable (Value) -> Void) {
        let value = state.withLock { state in
            if state.value == nil { state.callbacks.append(body) }
            return state.value
        }
        if let value { body(value) }
    }

    /// Waits as long as it takes, also in a cancelled task.
    package nonisolated(nonsending) func wait() async -> Value {
        while true {
            if let value = await wait(as: Flag()) { return value }
        }
    }

    /// Waits; throws `CancellationError` as soon as the task is cancelled, returns nil after `timeout`.
    package nonisolated(nonsending) func wait(timeout: Duration?, on loop: EventLoop) async throws -> Value? {
        if let value { return value }
        let isAbandoned = Flag()
        let alarm = timeout.map { Alarm(on: loop, at: .now() + $0) { self.abandon(isAbandoned) } }
        defer { alarm?.cancel() }
        let value = await withTaskCancellationHandler {
            await wait(as: isAbandoned)
        } onCancel: {
            abandon(isAbandoned)
        }
        if value == nil { try Task.checkCancellation() }
        return value
    }

    private nonisolated(nonsending) func wait(as isAbandoned: Flag) async -> Value? {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard state.value == nil, !isAbandoned.isSet else { return true }
                state.waiting[ObjectIdentifier(isAbandoned)] = continuation
                return false
            }
            if isOver { continuation.resume(returning: value) }
        }
    }

    private func abandon(_ isAbandoned: Flag) {
        let waiter = state.withLock { state in
            isAbandoned.set()
            return state.waiting.removeValue(forKey: ObjectIdentifier(isAbandoned))
        }
        waiter?.resume(returning: nil)
    }
}

/// A timer that any thread can set and cancel.
final class Alarm: Sendable {
    private struct State {
        var timer: Timer?
        var isCancelled = false
    }
    private let state = Mutex(State())

    /// Calls `body` on the loop at `deadline`, unless it is cancelled first.
    init(on loop: EventLoop, at deadline: MonotonicTime, _ body: @escaping @Sendable () -> Void) {
        loop.execute { [self] in
            state.withLock { state in
                guard !state.isCancelled else { return }
                state.timer = loop.schedule(at: deadline, name: "alarm", body)
            }
        }
    }

    func cancel() {
        let timer = state.withLock { state in
            state.isCancelled = true
            defer { state.timer = nil }
            return state.timer
        }
        timer?.cancel()
    }
}
