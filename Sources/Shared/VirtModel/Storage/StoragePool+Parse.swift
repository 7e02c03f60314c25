package import VirtCore
package import VirtXML

extension StoragePool {
    /// Reads a definition: parse, complete, validate.
    package static func parse(_ bytes: some Sequence<UInt8>) throws -> StoragePool {
        let root = try XMLDocument.root("pool", of: bytes, name: "storage_pool_definition", domain: .storage)
        return try parse(root)
    }

    /// Reads a definition that is part of a document.
    package static func parse(_ element: XMLNode) throws -> StoragePool {
        var pool: StoragePool = try ElementReader.read(element)
        try pool.complete()
        try pool.validate()
        return pool
    }

    /// The definition as libvirt prints it.
    package func format() throws -> String { try ElementWriter.document("pool", self) }

    /// Fills in what the document leaves to the type.
    package mutating func complete() throws(VirtError) {
        if type.sourceParts.contains(.name) {
            if name.isEmpty { name = source.name ?? "" }
            if source.name == nil { source.name = name }
        }
        switch type {
        case .logical: targetPath = "/dev/" + (source.name ?? "")
        case .zfs: targetPath = "/dev/zvol/" + (source.name ?? "")
        default: break
        }
    }

    /// What a pool of its type must have.
    package func validate() throws(VirtError) {
        let parts = type.sourceParts
        if name.isEmpty { throw Self.malformed("missing pool source name element") }
        if name.utf8.contains(UInt8(ascii: "/")) { throw Self.malformed("name \(name) cannot contain '/'") }
        if parts.contains(.host), source.hosts.isEmpty {
            throw Self.malformed("missing storage pool source host name")
        }
        if parts.contains(.dir), source.directory == nil {
            throw Self.malformed("missing storage pool source path")
        }
        if parts.contains(.adapter) { try (source.adapter ?? StorageAdapter()).validate() }
        if parts == .device, source.devices.isEmpty {
            throw Self.malformed("missing storage pool source device name")
        }
        if !parts.contains(.network), targetPath.isEmpty {
            throw Self.malformed("missing storage pool target path")
        }
    }

    private static func malformed(_ text: String) -> VirtError { VirtError(.xmlError, .storage, text) }

    /// Reads the `<source>` that a search for pools starts from.
    package static func parseSource(_ text: String, _ type: StoragePoolType) throws -> Source {
        let bytes = Array(text.utf8)
        let document = try XMLDocument.parse(bytes, name: "storage_source_specification", domain: .storage)
        guard let root = document.root, root.name == "source" else {
            throw VirtError(.xmlError, .storage, "root element was not source")
        }
        var reader = ElementReader(root)
        var source = Source()
        try source.map(&reader, type)
        return source
    }
}

/// The state file of an active pool (`<poolstate>` in /run/libvirt/storage).
package struct StoragePoolStatus: Equatable, Sendable, XMLMappable {
    package var pool = StoragePool()

    package init() {}

    /// The sizes are not kept: they are found out when the pool is taken over.
    package init(_ pool: StoragePool) {
        self.pool = pool
        self.pool.capacity = 0
        self.pool.allocation = 0
        self.pool.available = 0
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.group("pool", always: true) { try pool.map(&$0) }
        guard let node = x.node else { return }
        guard let child = node.child("pool") else {
            throw VirtError(.internalError, .storage, "Could not find any 'pool' element in state file")
        }
        pool = try StoragePool.parse(child)
    }

    package static func parse(_ bytes: some Sequence<UInt8>) throws -> StoragePoolStatus {
        let root = try XMLDocument.root("poolstate", of: bytes, name: "pool state", domain: .storage)
        return try ElementReader.read(root)
    }

    package func format() throws -> String { try ElementWriter.document("poolstate", self, flags: .status) }
}
