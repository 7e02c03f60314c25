package import VirtCore

/// Limits of the traffic of a network, a port group, a port or an interface (`<bandwidth>`).
package struct Bandwidth: Equatable, Sendable {
    /// The numbers of one direction, in KiB/s; a burst is in KiB. Zero: not given.
    package struct Rate: Equatable, Sendable {
        package var average: UInt64 = 0
        package var peak: UInt64 = 0
        package var floor: UInt64 = 0
        package var burst: UInt64 = 0

        package init() {}
    }

    package var inbound: Rate?
    package var outbound: Rate?

    package init() {}

    /// Whether some traffic is guaranteed.
    package var hasFloor: Bool { (inbound?.floor ?? 0) != 0 }

    /// What parsing can't see: a floor stands in `<inbound>` only, and only where the context knows floors.
    package func validate(allowsFloor: Bool) throws(VirtError) {
        if hasFloor, !allowsFloor {
            throw VirtError(.configUnsupported, .none, "floor attribute is not supported for this config")
        }
        if (outbound?.floor ?? 0) != 0 {
            throw VirtError(.configUnsupported, .none, "'floor' attribute allowed only in <inbound> element")
        }
    }
}
