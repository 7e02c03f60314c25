import CLinux

/// A point on CLOCK_MONOTONIC. Sums stop at the ends of the range instead of overflowing.
package struct MonotonicTime: Comparable, Hashable, Sendable {
    /// Since some point before the machine's start.
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static func now() -> MonotonicTime { MonotonicTime(nanoseconds: clinux_monotonic()) }

    /// The kernel's last tick: a few milliseconds behind, and very cheap.
    package static func coarse() -> MonotonicTime { MonotonicTime(nanoseconds: clinux_monotonic_coarse()) }

    package static let distantFuture = MonotonicTime(nanoseconds: .max)

    package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    package static func + (time: Self, duration: Duration) -> MonotonicTime {
        let step = duration.wholeNanoseconds
        let (sum, overflow) = time.nanoseconds.addingReportingOverflow(step)
        return MonotonicTime(nanoseconds: overflow ? (step < 0 ? .min : .max) : sum)
    }

    package static func - (left: Self, right: Self) -> Duration {
        let (difference, overflow) = left.nanoseconds.subtractingReportingOverflow(right.nanoseconds)
        return .nanoseconds(overflow ? (right.nanoseconds < 0 ? .max : .min) : difference)
    }
}

extension Duration {
    /// In nanoseconds, clamped to what 64 bits hold.
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || carry ? (seconds < 0 ? .min : .max) : sum
    }

    /// In milliseconds, clamped to what 64 bits hold.
    package var wholeMilliseconds: Int64 { wholeNanoseconds / 1_000_000 }
}
