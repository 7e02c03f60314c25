import Synchronization
import VirtCore
import VirtOS

/// The jobs of networks: changes of one network happen one after the other, those of different networks side by side.
/// A job is held across awaits; who waits for it too long gets an error that says who has it.
final class JobTable: Sendable {
    private struct Holder {
        let name: String
        let since: MonotonicTime
    }

    private struct Waiter {
        let id: UInt64
        let name: String
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var holders: [String: Holder] = [:]
        var waiters: [String: [Waiter]] = [:]
        var nextID: UInt64 = 0
    }

    private let state = Mutex(State())
    private let loop: EventLoop
    private let patience: Duration

    init(loop: EventLoop, patience: Duration = .seconds(30)) {
        self.loop = loop
        self.patience = patience
    }

    /// Runs `body` as the only change of a network.
    func run<Result>(
        _ network: String, _ name: String, _ body: () async throws -> Result
    ) async throws -> Result {
        try await acquire(network, name)
        defer { release(network) }
        return try await body()
    }

    private func acquire(_ network: String, _ name: String) async throws {
        let id = state.withLock { state in
            state.nextID &+= 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enter(network, Waiter(id: id, name: name, continuation: continuation))
            }
        } onCancel: {
            fail(network, id) { _ in CancellationError() }
        }
    }

    private func enter(_ network: String, _ waiter: Waiter) {
        let isHeld = state.withLock { state in
            if state.holders[network] == nil {
                state.holders[network] = Holder(name: waiter.name, since: .now())
                return true
            }
            state.waiters[network, default: []].append(waiter)
            return false
        }
        if isHeld { return waiter.continuation.resume() }
        let id = waiter.id
        // One that was cancelled before it waited was not found by the handler.
        if Task.isCancelled { return fail(network, id) { _ in CancellationError() } }
        loop.execute { [self] in
            _ = loop.schedule(after: patience, name: "network job") { [self] in
                fail(network, id) { Self.timeout(network, $0) }
            }
        }
    }

    private static func timeout(_ network: String, _ holder: Holder?) -> VirtError {
        let text = holder.map { "held by \($0.name) for \((MonotonicTime.now() - $0.since).components.seconds)s" }
        return VirtError(
            .operationTimeout, .network, "cannot acquire the job of network '\(network)' (\(text ?? "free"))")
    }

    private func fail(_ network: String, _ id: UInt64, _ error: (Holder?) -> any Error) {
        let found = state.withLock { state -> (Waiter, Holder?)? in
            guard let index = state.waiters[network]?.firstIndex(where: { $0.id == id }),
                let waiter = state.waiters[network]?.remove(at: index)
            else { return nil }
            return (waiter, state.holders[network])
        }
        if let (waiter, holder) = found { waiter.continuation.resume(throwing: error(holder)) }
    }

    private func release(_ network: String) {
        let next = state.withLock { state -> Waiter? in
            guard var waiters = state.waiters[network], !waiters.isEmpty else {
                state.waiters[network] = nil
                state.holders[network] = nil
                return nil
            }
            let next = waiters.removeFirst()
            state.waiters[network] = waiters
            state.holders[network] = Holder(name: next.name, since: .now())
            return next
        }
        next?.continuation.resume()
    }
}
