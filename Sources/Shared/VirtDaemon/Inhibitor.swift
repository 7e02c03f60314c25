import Synchronization
import VirtCore

private let log = Logger("daemon.idle")

/// Keeps `--timeout` from ending a daemon that is in use: guests that run, log files that are open, locks that are
/// held.
package final class Inhibitor: Sendable {
    private struct State {
        var holds: [String: Int] = [:]
        var onChange: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    package init() {}

    /// Keeps the daemon until `release` with the same reason; counts.
    package func hold(_ reason: String = "in use") {
        change { $0.holds[reason, default: 0] += 1 }
    }

    /// Ends a `hold`.
    package func release(_ reason: String = "in use") {
        change { state in
            let count = (state.holds[reason] ?? 0) - 1
            state.holds[reason] = count > 0 ? count : nil
        }
    }

    /// What keeps the daemon now: reasons with their counts.
    package var reasons: [(reason: String, count: Int)] {
        state.withLock { $0.holds.map { ($0.key, $0.value) } }.sorted { $0.0 < $1.0 }
    }

    package var isHeld: Bool { state.withLock { !$0.holds.isEmpty } }

    /// Called, on whatever thread, after each change.
    func onChange(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.onChange = body } }

    private func change(_ body: (inout State) -> Void) {
        let notify = state.withLock { state in
            body(&state)
            return state.onChange
        }
        notify?()
    }
}

/// Decides when a daemon without clients ends: a state machine with the clock given in.
struct IdleState: Equatable {
    /// Nanoseconds; nil: the daemon stays for ever.
    var timeout: Int64?
    /// When the daemon became idle; nil while it is in use.
    private(set) var idleSince: Int64?

    init(timeout: Int64?) { self.timeout = timeout }

    enum Action: Equatable {
        /// Look again at that time.
        case wait(until: Int64)
        /// Look again when something changes.
        case stay
        case end
    }

    /// What follows from the present use; to be asked after each change and at the time it said.
    mutating func next(now: Int64, clients: Int, isHeld: Bool) -> Action {
        guard clients == 0, !isHeld, let timeout else {
            idleSince = nil
            return .stay
        }
        let since = idleSince ?? now
        idleSince = since
        let (deadline, isFar) = since.addingReportingOverflow(timeout)
        guard !isFar else { return .stay }
        return now >= deadline ? .end : .wait(until: deadline)
    }
}
