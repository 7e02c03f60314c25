import VirtCore
package import VirtXML

extension StoragePool.Source {
    /// The element's children for a pool of that type, in libvirt's order.
    mutating func map<M: ElementMapper>(_ x: inout M, _ type: StoragePoolType) throws {
        let parts = type.sourceParts
        if x.isReading || parts.contains(.host) { try x.elements("host", &hosts) }
        if x.isReading || parts.contains(.device) { try x.elements("device", &devices) }
        if x.isReading || parts.contains(.dir) { try mapDirectory(&x, type) }
        if x.isReading || parts.contains(.adapter) { try x.element("adapter", &adapter) }
        if x.isReading || parts.contains(.name) { try x.textElement("name", &name) }
        var (initiator, vendor, product, version) = (initiator, vendor, product, protocolVersion)
        if x.isReading || parts.contains(.initiator) {
            try x.group("initiator") { x in try x.group("iqn") { try $0.attribute("name", &initiator) } }
        }
        try mapFormat(&x, type)
        try x.element("auth", &auth)
        try x.group("vendor") { try $0.attribute("name", &vendor) }
        try x.group("product") { try $0.attribute("name", &product) }
        try x.group("protocol") { try $0.attribute("ver", &version) }
        guard x.isReading else { return }
        (self.initiator, self.vendor, self.product, protocolVersion) = (initiator, vendor, product, version)
        if let version, version.utf8.contains(UInt8(ascii: ",")) {
            throw VirtError(
                .xmlDetail, .storage, "storage pool protocol ver '\(version)' must not contain ','")
        }
    }

    private mutating func mapDirectory<M: ElementMapper>(_ x: inout M, _ type: StoragePoolType) throws {
        var path = directory
        try x.group("dir") { try $0.attribute("path", &path) }
        guard x.isReading else { return }
        directory = path.map { StoragePath.sanitized($0) } ?? (type == .gluster ? "/" : nil)
    }

    private mutating func mapFormat<M: ElementMapper>(_ x: inout M, _ type: StoragePoolType) throws {
        guard let standard = type.defaultSourceFormat else { return }
        var word: String? = format ?? standard
        if x.isReading { word = nil }
        try x.group("format") { try $0.attribute("type", &word) }
        guard x.isReading else { return }
        let chosen = word.flatMap { $0.isEmpty ? nil : $0 } ?? standard
        guard type.sourceFormats.contains(chosen) else {
            throw VirtError(.configUnsupported, .storage, "unknown pool format type \(chosen)")
        }
        format = chosen
    }
}

extension StoragePool.Host: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("name", &name)
        if x.isWriting, port == 0 { return }
        if x.isReading, name == nil { throw VirtError(.xmlError, .storage, "missing storage pool host name") }
        try x.attribute("port", &port)
    }
}

extension StoragePool.Device: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("path", &path)
        if x.isReading, path == nil {
            throw VirtError(.xmlError, .storage, "missing storage pool source device path")
        }
        try x.attribute("part_separator", &partSeparator)
    }
}
