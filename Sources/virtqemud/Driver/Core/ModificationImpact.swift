import VirtCore

/// Which of a domain's definitions a call is about: VIR_DOMAIN_AFFECT_LIVE and VIR_DOMAIN_AFFECT_CONFIG, or neither for
/// the one that counts now.
struct ModificationImpact: Sendable, Equatable {
    static let liveFlag: UInt32 = 1
    static let configFlag: UInt32 = 2
    static let mask: UInt32 = 3

    var live: Bool
    var config: Bool

    /// Throws error 55 when there is no such definition.
    init(_ flags: UInt32, isActive: Bool, isPersistent: Bool) throws(VirtError) {
        live = flags & Self.liveFlag != 0
        config = flags & Self.configFlag != 0
        if !live && !config {
            live = isActive
            config = !isActive
        }
        if live && !isActive { throw VirtError(.operationInvalid, .domain, "domain is not running") }
        if config && !isPersistent {
            throw VirtError(.operationInvalid, .domain, "transient domains do not have any persistent config")
        }
    }

    init(_ flags: UInt32, _ domain: DomainSnapshot) throws(VirtError) {
        try self.init(flags, isActive: domain.isActive, isPersistent: domain.isPersistent)
    }
}

extension UInt32 {
    /// Refuses flag bits that a call does not know, with libvirt's text.
    func checkFlags(
        _ known: UInt32, _ function: String, domain: VirtError.Domain = .qemu
    ) throws(VirtError) {
        let unknown = self & ~known
        guard unknown == 0 else {
            throw VirtError(
                code: .invalidArg, domain: domain,
                verbatim: "unsupported flags (0x\(String(unknown, radix: 16))) in function \(function)")
        }
    }
}
