import Glibc

/// The time of day, for what files and clients are told.
enum WallClock {
    /// Milliseconds since 1970.
    static var now: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        let seconds = UInt64(clamping: time.tv_sec), nanoseconds = UInt64(clamping: time.tv_nsec)
        return seconds.multipliedReportingOverflow(by: 1000).partialValue &+ nanoseconds / 1_000_000
    }

    /// Seconds since 1970.
    static var seconds: Int64 { Int64(clamping: now / 1000) }
}
