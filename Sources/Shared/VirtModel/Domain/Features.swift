import VirtCore
package import VirtXML

/// What the machine has besides its devices (`<features>`).
package struct Features: Equatable, Sendable, XMLMappable {
    package enum GICVersion: String, XMLEnum {
        case host
        case v2 = "2"
        case v3 = "3"
    }
    package enum IOAPICDriver: String, XMLEnum { case qemu, kvm }
    package enum Capability: String, XMLEnum {
        case broken, workaround, fixed
        case fixedIBS = "fixed-ibs"
        case fixedCCD = "fixed-ccd"
        case fixedNA = "fixed-na"
    }
    package enum HPTResizing: String, XMLEnum { case enabled, disabled, required }

    package var acpi = false
    package var apic = false
    package var apicEOI: Bool?
    package var pae = false
    package var hap: Bool?
    package var viridian = false
    package var privateNetwork = false
    package var hyperv: HyperV?
    package var kvm: KVM?
    package var pvSpinlock: Bool?
    package var pmu: Bool?
    package var vmport: Bool?
    package var gic: GIC?
    package var smm: SMM?
    /// What only Xen's guests have.
    package var xenE820Host: Bool?
    package var xenPassthrough: Bool?
    package var xenPassthroughMode: String?
    package var ioapic: IOAPICDriver?
    package var hpt: HPT?
    package var vmcoreinfo: Bool?
    package var htm: Bool?
    package var nestedHV: Bool?
    package var msrsUnknown: String?
    package var ccfAssist: Bool?
    package var cfpc: Capability?
    package var sbbc: Capability?
    package var ibs: Capability?
    /// The size of TCG's translation cache in KiB.
    package var tbCache: UInt64?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.presence("acpi", &acpi)
        try mapAPIC(&x)
        try x.presence("pae", &pae)
        try onOff("hap", &hap, &x)
        try x.presence("viridian", &viridian)
        try x.presence("privnet", &privateNetwork)
        try x.element("hyperv", &hyperv)
        try x.element("kvm", &kvm)
        try onOff("pvspinlock", &pvSpinlock, &x)
        try onOff("pmu", &pmu, &x)
        try onOff("vmport", &vmport, &x)
        try x.element("gic", &gic)
        try x.element("smm", &smm)
        try x.valueElement("ioapic", "driver", &ioapic)
        try x.element("hpt", &hpt)
        try onOff("vmcoreinfo", &vmcoreinfo, &x)
        try onOff("htm", &htm, &x)
        try onOff("nested-hv", &nestedHV, &x)
        try x.valueElement("msrs", "unknown", &msrsUnknown)
        try onOff("ccf-assist", &ccfAssist, &x)
        try x.group("xen") { x in
            try x.valueElement("e820_host", "state", &xenE820Host, .onOff)
            try x.group("passthrough") { x in
                try x.attribute("state", &xenPassthrough, .onOff)
                try x.attribute("mode", &xenPassthroughMode)
            }
        }
        try x.valueElement("cfpc", "value", &cfpc)
        try x.valueElement("sbbc", "value", &sbbc)
        try x.valueElement("ibs", "value", &ibs)
        try x.group("tcg") { try $0.sizeElement("tb-cache", kibibytes: &tbCache) }
    }

    private mutating func mapAPIC<M: ElementMapper>(_ x: inout M) throws {
        if x.isWriting, !apic { return }
        var found = false
        try x.group("apic", always: true) { x in
            found = true
            try x.attribute("eoi", &apicEOI, .onOff)
        }
        if x.isReading { apic = found }
    }

    /// A feature that is on when it is named without a state.
    private func onOff<M: ElementMapper>(_ name: StaticString, _ value: inout Bool?, _ x: inout M) throws {
        if x.isWriting, value == nil { return }
        try x.group(name, always: true) { x in
            try x.attribute("state", &value, .onOff)
            if x.isReading, value == nil { value = true }
        }
    }

    package struct GIC: Equatable, Sendable, XMLMappable {
        package var version: GICVersion?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.attribute("version", &version) }
    }

    package struct SMM: Equatable, Sendable, XMLMappable {
        package var state: Bool = true
        /// In bytes.
        package var tseg: UInt64?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("state", &state, .onOff)
            // Printed with the largest unit that divides it.
            try x.group("tseg") { try Self.mapSize(&tseg, &$0) }
        }

        private static func mapSize<M: ElementMapper>(_ bytes: inout UInt64?, _ x: inout M) throws {
            if x.isWriting, bytes == nil { return }
            var unit: String?
            var number: UInt64?
            if x.isWriting, let bytes { (number, unit) = pretty(bytes) }
            try x.attribute("unit", &unit)
            try x.text(&number)
            if x.isReading, let number { bytes = try ScaledSize.bytes(number, unit: unit, scale: 1 << 20) }
        }

        private static func pretty(_ bytes: UInt64) -> (UInt64, String) {
            var number = bytes
            var unit = "B"
            for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] where number != 0 && number % 1024 == 0 {
                number /= 1024
                unit = next
            }
            return (number, unit)
        }
    }

    package struct HPT: Equatable, Sendable, XMLMappable {
        package var resizing: HPTResizing?
        /// In KiB.
        package var maximumPageSize: UInt64?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("resizing", &resizing)
            try x.sizeElement("maxpagesize", kibibytes: &maximumPageSize)
        }
    }

    package struct KVM: Equatable, Sendable, XMLMappable {
        package var hidden: Bool?
        package var hintDedicated: Bool?
        package var pollControl: Bool?
        package var pvIPI: Bool?
        package var dirtyRing: Bool?
        package var dirtyRingSize: UInt32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.valueElement("hidden", "state", &hidden, .onOff)
            try x.valueElement("hint-dedicated", "state", &hintDedicated, .onOff)
            try x.valueElement("poll-control", "state", &pollControl, .onOff)
            try x.valueElement("pv-ipi", "state", &pvIPI, .onOff)
            try x.group("dirty-ring") { x in
                try x.attribute("state", &dirtyRing, .onOff)
                try x.attribute("size", &dirtyRingSize)
            }
        }
    }
}

extension Features {
    mutating func complete(_ context: DomainCompletion) throws(VirtError) {
        if context.machine.isARMVirt, gic == nil { gic = GIC() }
        if gic != nil, gic?.version == nil { gic?.version = .v2 }
        try smm?.check(context)
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        let machine = context.machine
        if gic != nil, !machine.isARMVirt { throw unsupported("gic", context) }
        if ioapic != nil, !machine.isX86 { throw unsupported("ioapic", context) }
        if pvSpinlock != nil, !machine.isX86 { throw unsupported("pvspinlock", context) }
        if !machine.isPSeries, let name = pseriesFeature { throw unsupported(name, context) }
        if hyperv != nil, !machine.isX86, !machine.isARMVirt {
            throw VirtError.unsupported("Hyperv features are not supported for \(context.placeText)", .qemu)
        }
        try hyperv?.validate()
        if pmu == false, machine.isPPC64 {
            throw VirtError.unsupported("PMU is always enabled for architecture '\(machine.arch)'", .qemu)
        }
    }

    /// The first feature that only POWER's pseries machines have.
    private var pseriesFeature: String? {
        if hpt != nil { return "hpt" }
        if htm != nil { return "htm" }
        if nestedHV != nil { return "nested-hv" }
        if ccfAssist != nil { return "ccf-assist" }
        if cfpc != nil { return "cfpc" }
        if sbbc != nil { return "sbbc" }
        return ibs != nil ? "ibs" : nil
    }

    private func unsupported(_ name: String, _ context: DomainValidation) -> VirtError {
        .unsupported("The '\(name)' feature is not supported for \(context.placeText)", .qemu)
    }
}

extension Features.SMM {
    fileprivate func check(_ context: DomainCompletion) throws(VirtError) {
        guard state, let tseg else { return }
        guard context.machine.isQ35 else {
            throw VirtError.unsupported("SMM TSEG is only supported with q35 machine type", .qemu)
        }
        guard context.emulator.has("mch.extended-tseg-mbytes") else {
            throw VirtError.unsupported("Setting TSEG size is not supported with this QEMU binary", .qemu)
        }
        if tseg % (1 << 20) != 0 { throw VirtError.unsupported("SMM TSEG size must be divisible by 1 MiB", .qemu) }
    }
}
