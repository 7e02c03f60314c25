package import VirtOS

/// Keepalive of one side of a connection (program 0x6b656570), as a state machine without I/O.
///
/// Pings are sent only after the peer asked for them; anything that arrives counts as a sign of life.
package struct Keepalive: Sendable {
    /// What the owner of the connection has to do at a tick.
    package enum Action: Sendable, Equatable {
        case none
        case sendPing
        /// The peer has been silent for `interval * (count + 1)` seconds.
        case close
    }

    /// Seconds between pings; zero or less: never ping.
    package let interval: Int32
    /// Unanswered pings after which the connection is given up.
    package let count: UInt32
    /// Pings go out only once the peer said that it answers them (feature 10).
    package private(set) var isEnabled = false

    private var unanswered: UInt32 = 0
    private var lastReceived: MonotonicTime
    private var lastPing: MonotonicTime

    package init(interval: Int32, count: UInt32, now: MonotonicTime) {
        self.interval = interval
        self.count = count
        lastReceived = now
        lastPing = now
    }

    /// The peer supports keepalive: from now on it is pinged.
    package mutating func enable(now: MonotonicTime) {
        guard interval > 0 else { return }
        isEnabled = true
        lastReceived = now
        unanswered = 0
    }

    /// Any message came in.
    package mutating func received(now: MonotonicTime) {
        lastReceived = now
        unanswered = 0
    }

    /// Called once per interval or later; a paused reader (whose socket holds unread messages) counts as alive.
    package mutating func tick(now: MonotonicTime, readingPaused: Bool) -> Action {
        guard isEnabled else { return .none }
        if readingPaused {
            received(now: now)
            return .none
        }
        guard now - max(lastReceived, lastPing) >= .seconds(Int64(interval)) else { return .none }
        if unanswered >= count { return .close }
        unanswered += 1
        lastPing = now
        return .sendPing
    }
}
