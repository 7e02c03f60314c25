import VirtCore
package import VirtXML

/// What happens when the guest ends (`<on_poweroff>` and so on).
package enum LifecycleAction: String, XMLEnum {
    case destroy, restart, preserve
    case renameRestart = "rename-restart"
    case coredumpDestroy = "coredump-destroy"
    case coredumpRestart = "coredump-restart"
}

/// What happens when a lock can't be taken again (`<on_lockfailure>`).
package enum LockFailureAction: String, XMLEnum { case poweroff, restart, pause, ignore }

extension InvalidValue {
    /// The error for what is no action: "unknown on_crash action: x".
    static func action(_ element: String) -> InvalidValue {
        InvalidValue(.configUnsupported, "unknown \(element) action:", quoted: false)
    }
}

/// Which sleep states the guest is offered (`<pm>`).
package struct PowerManagement: Equatable, Sendable, XMLMappable {
    package var suspendToMemory: Bool?
    package var suspendToDisk: Bool?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.valueElement("suspend-to-mem", "enabled", &suspendToMemory)
        try x.valueElement("suspend-to-disk", "enabled", &suspendToDisk)
    }
}

/// One performance event that is counted (`<perf>`).
package struct PerformanceEvent: Equatable, Sendable, XMLMappable {
    package var name = ""
    package var enabled = false

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("name", &name)
        try x.required("enabled", &enabled)
        if x.isReading, !Self.names.contains(name) {
            throw VirtError.invalidAttribute("name", of: "event", value: name, expectation: ".")
        }
    }

    /// Those that libvirt knows, in its order.
    package static let names = [
        "cmt", "mbmt", "mbml", "cpu_cycles", "instructions", "cache_references", "cache_misses",
        "branch_instructions", "branch_misses", "bus_cycles", "stalled_cycles_frontend", "stalled_cycles_backend",
        "ref_cpu_cycles", "cpu_clock", "task_clock", "page_faults", "context_switches", "cpu_migrations",
        "page_faults_min", "page_faults_maj", "alignment_faults", "emulation_faults",
    ]
}

/// Users or groups of a container mapped to the host's (`<idmap>`).
package struct IDMap: Equatable, Sendable, XMLMappable {
    package var users: [Range] = []
    package var groups: [Range] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.elements("uid", &users)
        try x.elements("gid", &groups)
    }

    package struct Range: Equatable, Sendable, XMLMappable {
        package var start: UInt32 = 0
        package var target: UInt32 = 0
        package var count: UInt32 = 0

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("start", &start)
            try x.required("target", &target)
            try x.required("count", &count)
        }
    }
}

/// An s390 guest's protected keys (`<keywrap>`).
package struct KeyWrapCipher: Equatable, Sendable, XMLMappable {
    package enum Name: String, XMLEnum { case aes, dea }
    package var name = Name.aes
    package var state = false

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("name", &name)
        try x.required("state", &state, .onOff)
    }

    /// A key stands once.
    static func checkNames(_ ciphers: [KeyWrapCipher]) throws(VirtError) {
        for (index, cipher) in ciphers.enumerated() where ciphers[..<index].contains(where: { $0.name == cipher.name })
        {
            throw VirtError(
                .internalError, .domain,
                "A domain definition can have no more than one cipher node with name \(cipher.name.rawValue)")
        }
    }
}

/// The generation id that tells a guest that it was cloned (`<genid>`); empty when libvirt is to make one.
package struct GenerationID: Equatable, Sendable, XMLMappable {
    package var id: String?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.text(&id) }
}

/// The machine's resource partition (`<resource>`).
package struct ResourcePartition: Equatable, Sendable, XMLMappable {
    package var partition: String?
    package var fibreChannelAppID: String?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("partition", &partition)
        try x.valueElement("fibrechannel", "appid", &fibreChannelAppID)
    }
}
