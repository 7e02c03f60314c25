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
    }
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
