/// The libvirt release whose behaviour the daemons have.
package enum LibvirtVersion {
    package static let major: UInt64 = 9
    package static let minor: UInt64 = 0
    package static let micro: UInt64 = 0

    /// As the protocol carries it: major * 1,000,000 + minor * 1,000 + micro.
    package static let number = major * 1_000_000 + minor * 1_000 + micro
    /// "9.0.0"
    package static let text = "\(major).\(minor).\(micro)"
    /// The package that log files name beside the version.
    package static let packageName = "virtswarm"
}
