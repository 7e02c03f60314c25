package import VirtCore
package import VirtXML

/// A guest: everything that its XML says (`<domain>`). A value without behaviour; see `parse`, `complete`,
/// `validate` and `format`.
package struct Domain: Equatable, Sendable, XMLMappable {
    package enum Kind: String, XMLEnum {
        case qemu, kvm, xen, lxc, vmware, hyperv, vbox, phyp, parallels, bhyve, vz, hvf, test, none
        case kqemu, uml, openvz
    }

    package var type = Kind.qemu
    /// The number of a running guest.
    package var id: Int32?
    package var name = ""
    package var uuid: UUID?
    package var genid: GenerationID?
    package var title: String?
    package var description: String?
    package var metadata: XMLFragment?
    package var maximumMemory: MaximumMemory?
    /// The memory at start, in KiB, and whether it is part of core dumps.
    package var memory = Memory()
    /// What the guest is to use of it, in KiB.
    package var currentMemory: UInt64?
    package var blockIOTuning = BlockIOTuning()
    package var memoryTuning = MemoryTuning()
    package var memoryBacking = MemoryBacking()
    package var vcpu = VCPUs()
    package var vcpuStates: [VCPUs.State] = []
    /// How many I/O threads there are; `iothreadIDs` names them.
    package var iothreads: UInt32?
    package var iothreadIDs: [IOThread] = []
    package var defaultIOThread: DefaultIOThread?
    package var cpuTuning = CPUTuning()
    package var numaTuning = NUMATuning()
    package var resource = ResourcePartition()
    package var sysinfos: [SysInfo] = []
    package var os = OperatingSystem()
    package var idMap = IDMap()
    package var features = Features()
    package var cpu: CPU?
    package var clock = GuestClock()
    package var onPoweroff: LifecycleAction?
    package var onReboot: LifecycleAction?
    package var onCrash: LifecycleAction?
    package var onLockFailure: LockFailureAction?
    package var powerManagement = PowerManagement()
    package var performanceEvents: [PerformanceEvent] = []
    package var devices = Devices()
    package var securityLabels: [SecurityLabel] = []
    package var qemu = QEMUNamespace()
    package var keyWrap: [KeyWrapCipher] = []
    package var launchSecurity: LaunchSecurity?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required(
            "type", &type, invalid: InvalidValue(.configUnsupported, "invalid domain type", quoted: false),
            missing: VirtError(.internalError, .domain, "missing domain type attribute"))
        if !x.flags.contains(.inactive) { try x.attribute("id", &id) }
        x.namespace("qemu", "http://libvirt.org/schemas/domain/qemu/1.0", used: !qemu.isEmpty)
        try mapIdentity(&x)
        try mapMemory(&x)
        try mapThreads(&x)
        try x.elements("sysinfo", &sysinfos)
        try x.element("os", &os)
        try x.element("idmap", &idMap)
        try x.element("features", &features)
        try x.element("cpu", &cpu)
        if x.isReading { cpu?.arch = nil }
        try x.element("clock", &clock, always: true)
        try x.textElement("on_poweroff", &onPoweroff, invalid: .action("on_poweroff"))
        try x.textElement("on_reboot", &onReboot, invalid: .action("on_reboot"))
        try x.textElement("on_crash", &onCrash, invalid: .action("on_crash"))
        try x.textElement("on_lockfailure", &onLockFailure, invalid: .action("on_lockfailure"))
        try x.element("pm", &powerManagement)
        try x.group("perf") { try $0.elements("event", &performanceEvents) }
        try x.element("devices", &devices, always: true)
        try x.elements("seclabel", &securityLabels)
        try qemu.map(&x)
        try x.group("keywrap") { try $0.elements("cipher", &keyWrap) }
        if x.isReading { try KeyWrapCipher.checkNames(keyWrap) }
        try x.element("launchSecurity", &launchSecurity)
    }

    private mutating func mapIdentity<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("name", &name)
        try x.textElement("uuid", &uuid, invalid: .internal("malformed uuid element"))
        try x.element("genid", &genid)
        try x.textElement("title", &title)
        try x.textElement("description", &description)
        x.fragment("metadata", &metadata, level: 1)
    }

    private mutating func mapMemory<M: ElementMapper>(_ x: inout M) throws {
        try x.element("maxMemory", &maximumMemory)
        try x.element("memory", &memory)
        try x.sizeElement("currentMemory", kibibytes: &currentMemory)
        try x.element("blkiotune", &blockIOTuning)
        try x.element("memtune", &memoryTuning)
        try x.element("memoryBacking", &memoryBacking)
    }

    private mutating func mapThreads<M: ElementMapper>(_ x: inout M) throws {
        try x.element("vcpu", &vcpu, always: true)
        try x.group("vcpus") { try $0.elements("vcpu", &vcpuStates) }
        try x.textElement("iothreads", &iothreads)
        if x.isReading {
            try x.group("iothreadids") { try $0.elements("iothread", &iothreadIDs) }
        } else if iothreadIDs.contains(where: \.isExplicit) {
            try x.group("iothreadids") { try $0.elements("iothread", &iothreadIDs) }
        }
        try x.element("defaultiothread", &defaultIOThread)
        try x.element("cputune", &cpuTuning)
        try x.element("numatune", &numaTuning)
        try x.element("resource", &resource)
    }

    /// `<memory>`.
    package struct Memory: Equatable, Sendable, XMLMappable {
        package var dumpCore: Bool?
        /// In KiB.
        package var size: UInt64?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("dumpCore", &dumpCore, .onOff)
            try x.size(kibibytes: &size)
        }
    }

    /// The memory with all modules that can be plugged in (`<maxMemory>`).
    package struct MaximumMemory: Equatable, Sendable, XMLMappable {
        package var slots: UInt32?
        /// In KiB.
        package var size: UInt64?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("slots", &slots)
            try x.size(kibibytes: &size)
        }
    }
}
