import CLinux
import Glibc

/// What a watch waits for. Empty: nothing, not even the other side's closing.
package struct Interest: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let read = Interest(rawValue: 1)
    package static let write = Interest(rawValue: 2)

    var epollBits: UInt32 {
        (contains(.read) ? EPOLLIN.rawValue : 0) | (contains(.write) ? EPOLLOUT.rawValue : 0)
    }
}

/// What a descriptor is ready for.
///
/// `.hangup` and `.error` come together with the readiness that was asked for, so that a callback which only reads
/// or writes finds out by doing so.
package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let read = Readiness(rawValue: 1)
    package static let write = Readiness(rawValue: 2)
    package static let hangup = Readiness(rawValue: 4)
    package static let error = Readiness(rawValue: 8)

    /// Whether a read would tell something: data, the other side's closing, or an error. Asked for each message, so
    /// not in terms of sets.
    package var wantsReading: Bool { rawValue & (1 | 4 | 8) != 0 }

    init(epollBits bits: UInt32, interest: Interest) {
        let broken = bits & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        var value: UInt8 = 0
        if broken || bits & EPOLLIN.rawValue != 0 { value |= interest.rawValue & Interest.read.rawValue }
        if broken || bits & EPOLLOUT.rawValue != 0 { value |= interest.rawValue & Interest.write.rawValue }
        if bits & EPOLLHUP.rawValue != 0 { value |= 4 }
        if bits & EPOLLERR.rawValue != 0 { value |= 8 }
        rawValue = value
    }
}
