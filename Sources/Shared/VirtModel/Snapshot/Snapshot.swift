package import VirtCore
package import VirtXML

/// The state of a guest at one moment, or of its disks alone (`<domainsnapshot>`).
package struct Snapshot: Equatable, Sendable, XMLMappable {
    /// Where a part of a snapshot is kept: inside an image, in a file of its own, nowhere, or where the user says.
    package typealias Location = VirtModel.Disk.Snapshot

    /// What the guest did at that moment: virDomainState, and one more for snapshots of running guests' disks alone.
    package enum State: String, XMLEnum {
        case noState = "nostate"
        case running, blocked, paused, shutdown, shutoff, crashed
        case suspended = "pmsuspended"
        case diskSnapshot = "disk-snapshot"
    }

    package var name = ""
    package var description: String?
    package var state: State?
    /// The name of the snapshot that was current when this one was made.
    package var parent: String?
    /// In seconds since 1970.
    package var creationTime: Int64?
    package var memory = Memory()
    package var disks: [Disk] = []
    /// The guest as it was: the running one of an active domain. Nil in documents of very old libvirt.
    package var domain: Domain?
    /// The persistent definition that a running guest had beside.
    package var inactiveDomain: Domain?
    package var cookie: Cookie?
    /// Stands in for `domain` where there is none.
    package var uuid: UUID?
    /// The current one among a domain's snapshots; only in the driver's own files.
    package var isActive: Bool?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("name", &name, default: "")
        try x.textElement("description", &description)
        // What a document says about the past counts only where the snapshot exists already.
        if x.isWriting || x.flags.contains(.redefine) { try mapHistory(&x) }
        if x.isReading { try mapDomains(&x) }
        try x.element("memory", &memory)
        try x.group("disks") { try $0.elements("disk", &disks) }
        if x.isWriting { try mapDomains(&x) }
        try x.element("cookie", &cookie)
        var active: UInt32? = isActive.map { $0 ? 1 : 0 }
        try x.textElement("active", &active)
        if x.isReading { isActive = active.map { $0 != 0 } }
    }

    private mutating func mapHistory<M: ElementMapper>(_ x: inout M) throws {
        if x.isReading {
            try readHistory(&x)
        } else {
            try x.textElement("state", &state)
        }
        try x.group("parent") { try $0.textElement("name", &parent) }
        if creationTime != 0 || x.isReading { try x.textElement("creationTime", &creationTime) }
    }

    /// libvirt's own errors for what a snapshot that exists must say.
    private mutating func readHistory<M: ElementMapper>(_ x: inout M) throws {
        var (time, word): (String?, String?) = (nil, nil)
        try x.textElement("creationTime", &time)
        guard let time, Int64(time) != nil else {
            throw VirtError(.internalError, .domainSnapshot, "missing creationTime from existing snapshot")
        }
        try x.textElement("state", &word)
        guard let word else { throw VirtError.malformed("missing state from existing snapshot", .domainSnapshot) }
        guard let known = State(rawValue: word), known != .noState else {
            throw VirtError.unsupported("Invalid state '\(word)' in domain snapshot XML", .domainSnapshot)
        }
        state = known
    }

    private mutating func mapDomains<M: ElementMapper>(_ x: inout M) throws {
        guard x.isWriting || x.flags.contains(.redefine) else { return }
        if x.isReading {
            // Very old documents have the UUID alone.
            guard x.node?.child("domain")?.attribute("type") != nil else { return }
            try x.element("domain", &domain)
        } else if domain != nil {
            try x.element("domain", &domain)
        } else if uuid != nil {
            try x.group("domain") { try $0.textElement("uuid", &uuid) }
        }
        try x.element("inactiveDomain", &inactiveDomain)
    }

    /// `<memory>`: where the guest's memory is kept.
    package struct Memory: Equatable, Sendable, XMLMappable {
        package var location: Location?
        /// The file of an external one.
        package var file: String?

        package init() {}
        package init(_ location: Location?, file: String? = nil) {
            self.location = location
            self.file = file
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("snapshot", &location)
            try x.attribute("file", &file)
        }
    }

    /// `<cookie>`: what the driver must know of the guest beyond its definition.
    package struct Cookie: Equatable, Sendable, XMLMappable {
        /// The processor that the guest really had.
        package var cpu: CPU?
        /// Networks of type user may be served by a helper process.
        package var hasSlirpHelper = false

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.element("cpu", &cpu)
            try x.presence("slirpHelper", &hasSlirpHelper)
        }
    }
}

extension MappingFlags {
    /// The snapshot exists already: its document says when and in which state it was made.
    package static let redefine = MappingFlags(rawValue: 1 << UInt32(MappingFlags.firstOwn))
}
