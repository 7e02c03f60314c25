import VirtCore
package import VirtXML

/// What is to be backed up, and where to (`<domainbackup>`).
package struct DomainBackup: Equatable, Sendable, XMLMappable {
    /// Who moves the data: QEMU into files, or a client that reads it over NBD.
    package enum Mode: String, XMLEnum { case push, pull }

    /// Where a client reads from.
    package struct Server: Equatable, Sendable, XMLMappable {
        package var transport = DiskNetwork.Host.Transport.tcp
        package var tls: Bool?
        package var name: String?
        package var port: UInt32?
        package var socket: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("transport", &transport)
            try x.attribute("tls", &tls)
            try x.attribute("name", &name)
            try x.attribute("port", &port)
            try x.attribute("socket", &socket)
        }
    }

    package var mode = Mode.push
    /// The checkpoint since which changes are wanted.
    package var incremental: String?
    package var server: Server?
    package var disks: [DiskBackup] = []

    package init() {}

    package var isPull: Bool { mode == .pull }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("mode", &mode, invalid: .unsupported("unknown backup mode"))
        try x.textElement("incremental", &incremental)
        try x.element("server", &server)
        try x.group("disks") { try $0.elements("disk", &disks) }
    }

    /// Reads a client's document.
    package static func parse(_ text: String) throws -> DomainBackup {
        let root = try XMLDocument.root(
            "domainbackup", of: text.utf8, name: "domain_backup", domain: .domain)
        let backup = try read(root)
        try backup.validate()
        return backup
    }

    /// Reads the element; with `.status` with what the driver noted.
    package static func read(_ element: XMLNode, flags: MappingFlags = .inactive) throws -> DomainBackup {
        var backup: DomainBackup = try ElementReader.read(element, flags: flags)
        for index in backup.disks.indices { backup.disks[index].settle(isPull: backup.isPull) }
        return backup
    }

    /// The document; with `.status` with what the driver notes.
    package func format(_ flags: MappingFlags = [], depth: Int = 0) throws -> String {
        var backup = self
        for index in backup.disks.indices { backup.disks[index].isPull = isPull }
        return try ElementWriter.document("domainbackup", backup, flags: flags, depth: depth)
    }

    private func validate() throws(VirtError) {
        if let server {
            guard isPull else {
                throw VirtError(.configUnsupported, .domain, "use of <server> requires pull mode backup")
            }
            guard server.transport != .rdma else {
                throw VirtError(.configUnsupported, .domain, "transport rdma is not supported for <server>")
            }
            if server.transport == .unix {
                guard let socket = server.socket else {
                    throw VirtError(.xmlError, .domain, "missing socket for unix transport")
                }
                guard socket.hasPrefix("/") else {
                    throw VirtError(.xmlError, .domain, "backup socket path '\(socket)' must be absolute")
                }
            }
        }
        for disk in disks where disk.isWanted && disk.store.type != .file && disk.store.type != .block {
            throw VirtError(
                .xmlError, .domain, "unsupported disk backup type '\(disk.store.type.rawValue)'")
        }
    }
}

/// What becomes of one disk (`<disk>` of a backup).
package struct DiskBackup: Equatable, Sendable, XMLMappable {
    package enum Mode: String, XMLEnum { case full, incremental }
    package enum State: String, XMLEnum { case running, complete, failed, cancelling, cancelled }

    package var name = ""
    package var isWanted = true
    /// Only in status documents.
    package var state: State?
    package var mode: Mode?
    package var incremental: String?
    package var exportName: String?
    package var exportBitmap: String?
    package var format: String?
    /// The file that the data goes to, or that keeps a client's view of the disk as it was.
    package var store = DiskSource()
    fileprivate var isPull = false
    private var target: DiskSource?
    private var scratch: DiskSource?

    package init() {}

    package init(name: String, isWanted: Bool) {
        self.name = name
        self.isWanted = isWanted
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("name", &name)
        try x.attribute("backup", &isWanted)
        if x.flags.contains(.status) { try x.attribute("state", &state) }
        guard isWanted else { return }
        try x.attribute("type", &store.type)
        try x.attribute("backupmode", &mode)
        try x.attribute("incremental", &incremental)
        try x.attribute("exportname", &exportName)
        try x.attribute("exportbitmap", &exportBitmap)
        if !x.flags.contains(.inactive) { try x.attribute("index", &store.index) }
        try x.group("driver") { try $0.attribute("type", &format) }
        try mapStore(&x)
    }

    /// The image's number stands on `<disk>`, not on its source.
    private mutating func mapStore<M: ElementMapper>(_ x: inout M) throws {
        var source: DiskSource? = store
        if x.isWriting {
            if x.flags.contains(.status) { source?.nameNodes() }
            source?.index = nil
            if store.isEmpty { source = nil }
            if isPull { try x.element("scratch", &source) } else { try x.element("target", &source) }
            return
        }
        try x.group("target") { inner in
            var image = store
            try image.map(&inner)
            target = image
        }
        try x.group("scratch") { inner in
            var image = store
            try image.map(&inner)
            scratch = image
        }
    }

    /// Takes the one of both elements that the backup's mode means.
    fileprivate mutating func settle(isPull: Bool) {
        self.isPull = isPull
        let index = store.index
        if let found = isPull ? scratch : target { store = found }
        store.index = index
        (target, scratch) = (nil, nil)
        if !isPull { (exportName, exportBitmap) = (nil, nil) }
    }
}
