package import VirtCore
package import VirtXML

/// A point in a guest's life since which changes of its disks are recorded (`<domaincheckpoint>`).
package struct DomainCheckpoint: Equatable, Sendable, XMLMappable {
    package enum Kind: String, XMLEnum { case no, bitmap }

    /// What is recorded of one disk.
    package struct DiskEntry: Equatable, Sendable, XMLMappable {
        package var name = ""
        package var kind: Kind?
        /// The name of the record in the image.
        package var bitmap: String?
        /// Bytes that were changed since; only when a client asks for it.
        package var size: UInt64?

        package init() {}
        package init(name: String, kind: Kind) {
            self.name = name
            self.kind = kind
        }

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.attribute("checkpoint", &kind)
            if x.isReading, kind == nil { kind = .bitmap }
            try x.attribute("bitmap", &bitmap)
            if x.isWriting, bitmap != nil { try x.attribute("size", &size) }
        }
    }

    package var name: String?
    package var description: String?
    /// The checkpoint before this one.
    package var parent: String?
    /// Seconds since 1970.
    package var creationTime: Int64?
    package var disks: [DiskEntry] = []
    /// The guest as it was.
    package var domain: Domain?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("name", &name)
        try x.textElement("description", &description)
        try x.group("parent") { try $0.textElement("name", &parent) }
        try x.textElement("creationTime", &creationTime)
        try x.group("disks") { try $0.elements("disk", &disks) }
        try x.element("domain", &domain)
    }

    /// Reads a client's document for a new checkpoint: what only the driver knows is not taken from it.
    package static func parse(new text: String, now: Int64) throws -> DomainCheckpoint {
        var checkpoint = try read(text.utf8)
        (checkpoint.parent, checkpoint.domain) = (nil, nil)
        checkpoint.creationTime = now
        if checkpoint.name == nil { checkpoint.name = String(now) }
        return checkpoint
    }

    /// Reads the document of a checkpoint that was made before.
    package static func parse(existing bytes: some Sequence<UInt8>) throws -> DomainCheckpoint {
        let checkpoint = try read(bytes)
        guard checkpoint.name != nil else {
            throw VirtError(.xmlError, .domainCheckpoint, "a redefined checkpoint must have a name")
        }
        guard checkpoint.creationTime != nil else {
            throw VirtError(
                .internalError, .domainCheckpoint, "missing creationTime from existing checkpoint")
        }
        return checkpoint
    }

    private static func read(_ bytes: some Sequence<UInt8>) throws -> DomainCheckpoint {
        let root = try XMLDocument.root(
            "domaincheckpoint", of: bytes, name: "domain_checkpoint", domain: .domainCheckpoint)
        return try ElementReader.read(root, flags: .inactive)
    }

    /// The document as libvirt prints it.
    package func format(secure: Bool, withDomain: Bool = true) throws -> String {
        var copy = self
        if !withDomain { copy.domain = nil }
        return try ElementWriter.document(
            "domaincheckpoint", copy, flags: secure ? [.inactive, .secure] : .inactive)
    }
}

// MARK: Disks

extension DomainCheckpoint {
    /// Makes the disks match the guest's: all that can be written when none is named, else the named ones.
    package mutating func alignDisks() throws(VirtError) {
        guard let devices = domain?.devices.disks else {
            throw VirtError(.internalError, .domainCheckpoint, "missing domain in checkpoint")
        }
        func refuse(_ text: String) -> VirtError { VirtError(.configUnsupported, .domainCheckpoint, text) }
        guard disks.count <= devices.count else { throw refuse("too many disk checkpoint requests for domain") }
        guard !devices.isEmpty else {
            throw refuse("domain must have at least one disk to perform checkpoints")
        }
        let standard: Kind = disks.isEmpty ? .bitmap : .no
        var named: [String: DiskEntry] = [:]
        for entry in disks {
            let found = devices.first { $0.target.dev == entry.name } ?? devices.first { $0.source.path == entry.name }
            guard let device = found, let target = device.target.dev else {
                throw refuse("no disk named '\(entry.name)'")
            }
            guard named[target] == nil else { throw refuse("disk '\(entry.name)' specified twice") }
            if device.source.isEmpty || device.readonly, entry.kind != .no {
                throw refuse("disk '\(entry.name)' is empty or readonly")
            }
            named[target] = entry
            named[target]?.name = target
        }
        disks = devices.map { device in
            let target = device.target.dev ?? ""
            let isFixed = device.source.isEmpty || device.readonly
            return named[target] ?? DiskEntry(name: target, kind: isFixed ? .no : standard)
        }
        assignBitmaps()
    }

    /// Bitmaps are called as their checkpoint unless they have a name.
    package mutating func assignBitmaps() {
        for index in disks.indices where disks[index].kind == .bitmap && disks[index].bitmap == nil {
            disks[index].bitmap = name
        }
    }
}
