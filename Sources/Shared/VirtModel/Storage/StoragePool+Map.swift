import VirtCore
package import VirtXML

extension StoragePool: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &type)
        x.namespace("fs", "http://libvirt.org/schemas/storagepool/fs/1.0", used: !mountOptions.isEmpty)
        try mapIdentity(&x)
        try mapSizes(&x)
        try mapFeatures(&x)
        try mapSource(&x)
        if x.isReading || type.hasTarget { try mapTarget(&x) }
        try mapRefresh(&x)
        try mapMountOptions(&x)
    }

    private mutating func mapIdentity<M: ElementMapper>(_ x: inout M) throws {
        var given: String? = x.isReading ? nil : name
        var text: String? = x.isReading ? nil : uuid.description
        try x.textElement("name", &given)
        try x.textElement("uuid", &text)
        guard x.isReading else { return }
        name = given ?? ""
        guard let text else {
            uuid = .random()
            return
        }
        guard let read = UUID(parsing: text) else { throw VirtError(.xmlError, .storage, "malformed uuid element") }
        uuid = read
    }

    private mutating func mapFeatures<M: ElementMapper>(_ x: inout M) throws {
        var state = copyOnWrite
        try x.group("features") { x in try x.group("cow") { try $0.attribute("state", &state) } }
        guard x.isReading else { return }
        copyOnWrite = state
        if state != nil, type != .fs, type != .dir {
            throw VirtError(.noSupport, .storage, "cow feature may only be used for 'fs' and 'dir' pools")
        }
    }

    /// The sizes are printed only: they are the file system's, not the definition's.
    private mutating func mapSizes<M: ElementMapper>(_ x: inout M) throws {
        if x.isReading { return }
        var sizes: [UInt64?] = [capacity, allocation, available]
        try x.sizeElement("capacity", bytes: &sizes[0])
        try x.sizeElement("allocation", bytes: &sizes[1])
        try x.sizeElement("available", bytes: &sizes[2])
    }

    private mutating func mapSource<M: ElementMapper>(_ x: inout M) throws {
        var (source, type) = (source, type)
        if x.isWriting, source.isEmpty(type) {
            // libvirt prints start and end tag of an empty source on lines of their own.
            let indent = x.flags.contains(.status) ? "    " : "  "
            var empty: XMLFragment? = XMLFragment(text: "<source>\n\(indent)</source>")
            return x.fragment("source", &empty, level: 1)
        }
        if x.isReading { source.format = type.defaultSourceFormat }
        if x.isReading, type == .gluster { source.directory = "/" }
        try x.group("source", always: true) { try source.map(&$0, type) }
        if x.isReading { self.source = source }
    }

    private mutating func mapTarget<M: ElementMapper>(_ x: inout M) throws {
        var path: String? = targetPath
        var permissions = permissions
        if x.isReading { path = nil }
        try x.group("target", always: true) { x in
            try x.textElement("path", &path)
            try x.element("permissions", &permissions)
        }
        guard x.isReading, !type.sourceParts.contains(.network) else { return }
        self.permissions = permissions
        targetPath = path.map { StoragePath.sanitized($0) } ?? ""
    }

    private mutating func mapRefresh<M: ElementMapper>(_ x: inout M) throws {
        var word = refreshAllocation?.rawValue
        try x.group("refresh") { x in try x.group("volume") { try $0.attribute("allocation", &word) } }
        guard x.isReading else { return }
        guard let word else {
            refreshAllocation = nil
            return
        }
        guard let known = RefreshAllocation(rawValue: word) else {
            throw VirtError(
                .configUnsupported, .storage, "unknown storage pool volume refresh allocation type \(word)")
        }
        refreshAllocation = known
    }

    private mutating func mapMountOptions<M: ElementMapper>(_ x: inout M) throws {
        guard type == .fs || type == .netfs else { return }
        var options = mountOptions.map { MountOption($0) }
        try x.group("fs:mount_opts") { try $0.elements("fs:option", &options) }
        if x.isReading { mountOptions = options.compactMap { $0.name } }
    }
}

extension StoragePool.Source {
    /// Whether nothing would be printed for a pool of that type.
    fileprivate func isEmpty(_ type: StoragePoolType) -> Bool {
        let parts = type.sourceParts
        guard parts.isEmpty, type.sourceFormats.isEmpty else { return false }
        return auth == nil && vendor == nil && product == nil && protocolVersion == nil
    }
}

private struct MountOption: XMLMappable {
    var name: String?

    init() {}
    init(_ name: String) { self.name = name }

    mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("name", &name)
        if x.isReading, name == nil { throw VirtError(.xmlError, .storage, "no fs mount option name specified") }
    }
}

extension InvalidValue {
    /// Code 67 with the value put in quotes, in the storage domain.
    static func unsupportedWord(_ text: String) -> InvalidValue { .unsupported(text, domain: .storage) }
}
