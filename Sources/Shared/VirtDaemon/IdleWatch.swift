import Synchronization
import VirtCore
import VirtOS

private let log = Logger("daemon.idle")

/// Ends an idle daemon: asks the idle state after each change of use, and when its time has come.
final class IdleWatch: Sendable {
    private struct State {
        var idle: IdleState
        var timer: Timer?
        var hasEnded = false
    }

    private let loop: EventLoop
    private let state: Mutex<State>
    /// Clients of all servers.
    private let clients: @Sendable () -> Int
    private let inhibitor: Inhibitor
    private let end: @Sendable () -> Void

    /// - Parameter end: called once, on the loop, when the daemon shall end.
    init(
        loop: EventLoop, timeout: UInt32, inhibitor: Inhibitor, clients: @escaping @Sendable () -> Int,
        end: @escaping @Sendable () -> Void
    ) {
        self.loop = loop
        self.clients = clients
        self.inhibitor = inhibitor
        self.end = end
        state = Mutex(State(idle: IdleState(timeout: Self.nanoseconds(timeout))))
    }

    /// Changes the timeout (seconds; 0: none) at run time.
    func setTimeout(_ seconds: UInt32) {
        state.withLock { $0.idle = IdleState(timeout: Self.nanoseconds(seconds)) }
        useChanged()
    }

    /// To be called, from any thread, after each change of clients or holds.
    func useChanged() {
        loop.execute { self.evaluate() }
    }

    private func evaluate() {
        let clients = clients()
        let now = MonotonicTime.now().nanoseconds
        let action = state.withLock { state in
            state.timer?.cancel()
            state.timer = nil
            return state.hasEnded ? .stay : state.idle.next(now: now, clients: clients, isHeld: inhibitor.isHeld)
        }
        switch action {
        case .stay:
            guard state.withLock({ $0.idle.timeout }) != nil else { return }
            let reasons = inhibitor.reasons.map { "\($0.count) x \($0.reason)" }.joined(separator: ", ")
            log.debug("staying: \(clients) clients, holds: \(reasons.isEmpty ? "none" : reasons)")
        case .wait(let deadline):
            log.debug("idle: ending in \((deadline - now) / 1_000_000) ms")
            let timer = loop.schedule(at: MonotonicTime(nanoseconds: deadline), name: "idle") { self.evaluate() }
            state.withLock { $0.timer = timer }
        case .end:
            log.info("idle for long enough: the daemon ends")
            state.withLock { $0.hasEnded = true }
            end()
        }
    }

    private static func nanoseconds(_ seconds: UInt32) -> Int64? {
        seconds == 0 ? nil : Int64(seconds) * 1_000_000_000
    }
}
