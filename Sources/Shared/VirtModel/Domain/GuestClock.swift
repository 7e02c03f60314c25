import VirtCore
package import VirtXML

/// The guest's clock and timers (`<clock>`).
package struct GuestClock: Equatable, Sendable, XMLMappable {
    package enum Offset: String, XMLEnum { case utc, localtime, variable, timezone, absolute }
    package enum Basis: String, XMLEnum { case utc, localtime }

    package var offset = Offset.utc
    /// Seconds; "reset" for utc and localtime has no number.
    package var adjustment: String?
    /// The adjustment that a running guest was started with, which the changes that QEMU reports are relative to.
    package var initialAdjustment: Int64?
    package var basis: Basis?
    package var timezone: String?
    package var start: UInt64?
    package var timers: [Timer] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        if x.isWriting || x.node?.attribute("offset") != "" {
            try x.attribute("offset", &offset, invalid: .unsupported("unknown clock offset"))
        }
        try x.attribute("adjustment", &adjustment)
        if x.flags.contains(.status) { try x.attribute("adjustment0", &initialAdjustment) }
        try x.attribute("basis", &basis)
        try x.attribute("timezone", &timezone)
        try x.attribute("start", &start)
        try x.elements("timer", &timers)
        if x.isReading { try settle() }
    }

    /// Notes what the guest starts with.
    package mutating func begin() {
        guard offset == .variable, let seconds = adjustment.flatMap({ Int64($0) }), seconds != 0 else { return }
        initialAdjustment = seconds
    }

    /// The guest set its clock: so many seconds away from where it started. The offset from the basis.
    package mutating func change(by seconds: Int64) -> Int64 {
        guard offset == .variable else { return seconds }
        let sum = seconds.addingReportingOverflow(initialAdjustment ?? 0)
        guard !sum.overflow else { return seconds }
        adjustment = String(sum.partialValue)
        return sum.partialValue
    }

    private mutating func settle() throws(VirtError) {
        switch offset {
        case .variable:
            if adjustment == nil { adjustment = "0" }
            if basis == nil { basis = .utc }
        case .timezone:
            guard timezone != nil else {
                throw VirtError(
                    .internalError, .domain, "missing 'timezone' attribute for clock with offset='timezone'")
            }
        case .utc, .localtime, .absolute: break
        }
        // What belongs to another kind of clock is ignored.
        if offset != .timezone { timezone = nil }
        if offset != .absolute { start = nil }
        if offset != .variable { basis = nil }
    }

    package struct Timer: Equatable, Sendable, XMLMappable {
        package enum Name: String, XMLEnum { case platform, pit, rtc, hpet, tsc, kvmclock, hypervclock, armvtimer }
        package enum TickPolicy: String, XMLEnum { case delay, catchup, merge, discard }
        package enum Track: String, XMLEnum { case boot, guest, wall, realtime }
        package enum Mode: String, XMLEnum { case auto, native, emulate, paravirt, smpsafe }

        package var name = Name.rtc
        package var present: Bool?
        package var tickPolicy: TickPolicy?
        package var track: Track?
        package var frequency: UInt64?
        package var mode: Mode?
        package var catchup: Catchup?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.attribute("present", &present)
            try x.attribute("tickpolicy", &tickPolicy)
            try x.attribute("track", &track)
            try x.attribute("frequency", &frequency)
            try x.attribute("mode", &mode)
            try x.element("catchup", &catchup)
            if x.isReading, catchup == Catchup() { catchup = nil }
        }
    }

    package struct Catchup: Equatable, Sendable, XMLMappable {
        package var threshold: UInt32?
        package var slew: UInt32?
        package var limit: UInt32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("threshold", &threshold)
            try x.attribute("slew", &slew)
            try x.attribute("limit", &limit)
        }
    }
}

extension GuestClock.Timer {
    /// Refuses settings that a timer of the kind does not have.
    func checkSettings() throws(VirtError) {
        if name == .kvmclock || name == .hypervclock, tickPolicy != nil { throw unsettable("tickpolicy") }
        if tickPolicy != .catchup, catchup != nil {
            throw VirtError.malformed(
                "setting of timer catchup policies is only supported with tickpolicy='catchup'")
        }
        if name != .tsc, frequency != nil { throw unsettable("frequency") }
        if name != .tsc, mode != nil { throw unsettable("mode") }
        if name != .platform, name != .rtc, track != nil { throw unsettable("track") }
    }

    private func unsettable(_ setting: String) -> VirtError {
        .unsupported("timer \(name.rawValue) doesn't support setting of timer \(setting)")
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        switch name {
        case .platform: throw VirtError.unsupported("unsupported timer type (name) '\(name.rawValue)'", .qemu)
        case .tsc, .kvmclock, .hypervclock:
            if !context.machine.isX86, present == true { throw misplaced(context) }
        case .armvtimer:
            if context.domain.type != .kvm || !context.machine.isARMVirt { throw misplaced(context) }
        case .rtc:
            if let tickPolicy, tickPolicy == .merge || tickPolicy == .discard {
                throw VirtError.unsupported("unsupported rtc timer tickpolicy '\(tickPolicy.rawValue)'", .qemu)
            }
        case .pit:
            if tickPolicy == .merge { throw VirtError.unsupported("unsupported pit tickpolicy 'merge'", .qemu) }
        case .hpet: break
        }
    }

    private func misplaced(_ context: DomainValidation) -> VirtError {
        .unsupported(
            "Configuring the '\(name.rawValue)' timer is not supported for virtType=\(context.domain.type.rawValue) "
                + "arch=\(context.machine.arch) machine=\(context.machine.machine) guests",
            .qemu)
    }
}
