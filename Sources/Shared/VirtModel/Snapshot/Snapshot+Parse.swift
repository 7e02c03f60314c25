import VirtCore
package import VirtXML

extension Snapshot {
    /// What a document is read for.
    package struct ParseOptions: Sendable, Equatable {
        /// The snapshot exists already: the document says all about it.
        package var isRedefinition: Bool
        /// No guest runs, or its memory is not asked for.
        package var isOffline: Bool

        package init(isRedefinition: Bool = false, isOffline: Bool = false) {
            self.isRedefinition = isRedefinition
            self.isOffline = isOffline
        }
    }

    /// Reads a document. The definitions in it are not completed, disks not aligned.
    package static func parse(
        _ bytes: some Sequence<UInt8>, _ options: ParseOptions, limits: XMLLimits = XMLLimits()
    ) throws -> Snapshot {
        let root = try XMLDocument.root(
            "domainsnapshot", of: bytes, name: "domain_snapshot", domain: .domainSnapshot, limits: limits)
        if options.isRedefinition, root.child("name").map({ $0.text.isEmpty }) ?? true {
            throw VirtError.malformed("a redefined snapshot must have a name", .domainSnapshot)
        }
        let flags: MappingFlags = options.isRedefinition ? [.inactive, .redefine] : .inactive
        var snapshot: Snapshot = try ElementReader.read(root, flags: flags)
        try snapshot.settleMemory(options)
        return snapshot
    }

    /// Reads one of the driver's own files.
    package static func parseFile(_ bytes: some Sequence<UInt8>, limits: XMLLimits = XMLLimits()) throws -> Snapshot {
        let snapshot = try parse(bytes, ParseOptions(isRedefinition: true), limits: limits)
        guard snapshot.isActive != nil else {
            throw VirtError(.internalError, .domainSnapshot, "Could not find 'active' element")
        }
        return snapshot
    }

    /// Nothing runs whose memory could be kept.
    private var isStateOffline: Bool { state == .shutoff || state == .diskSnapshot }

    private mutating func settleMemory(_ options: ParseOptions) throws(VirtError) {
        let isOffline = options.isRedefinition ? isStateOffline : options.isOffline
        try settleMemoryFile()
        if memory.location == nil, options.isRedefinition { memory.location = isOffline ? .no : .internal }
        if isOffline, let location = memory.location, location != .no {
            throw .malformed(
                "memory state cannot be saved with offline or disk-only snapshot", .domainSnapshot)
        }
        if let file = memory.file, !file.hasPrefix("/") {
            throw .malformed("memory snapshot file path (\(file)) must be absolute", .domainSnapshot)
        }
        if isOffline { cookie = nil }
    }

    private mutating func settleMemoryFile() throws(VirtError) {
        switch memory.location {
        case .manual?: throw .unsupported("'manual' memory snapshot mode not supported", .domainSnapshot)
        case .external? where memory.file == nil:
            throw .malformed("external memory snapshots require a filename", .domainSnapshot)
        case .no?, .internal?:
            guard let file = memory.file else { return }
            throw .malformed("memory filename '\(file)' requires external snapshot", .domainSnapshot)
        case .external?: break
        case nil: if memory.file != nil { memory.location = .external }
        }
    }

    /// Fills in what a new snapshot has by itself: its time, and a name if it has none.
    package mutating func complete(now: Int64) {
        creationTime = now
        if name.isEmpty { name = String(now) }
    }

    /// The document as libvirt prints it, with passwords if `flags` say so.
    package func format(_ flags: MappingFlags = []) throws -> String {
        try ElementWriter.document("domainsnapshot", self, flags: flags.union(.inactive))
    }
}
