import VirtCore

/// A callback that kept an event loop from everything else for too long.
package struct Stall: Sendable {
    /// What ran.
    package enum Work: Sendable {
        case watch(StaticString, descriptor: Int32)
        case timer(StaticString)
        case job
        case closure
    }

    package let loop: String
    package let work: Work
    /// To the precision of the kernel's tick.
    package let duration: Duration

    private static let logger = Logger("os.eventloop")

    static let log: @Sendable (Stall) -> Void = { stall in
        logger.warning(
            "event loop \(stall.loop) was stalled for \(stall.duration.wholeMilliseconds) ms by \(stall.work)")
    }
}

extension Stall.Work: CustomStringConvertible {
    package var description: String {
        switch self {
        case .watch(let name, let descriptor): "the watch '\(name)' of descriptor \(descriptor)"
        case .timer(let name): "the timer '\(name)'"
        case .job: "a job"
        case .closure: "a closure"
        }
    }
}
