import VirtCore
package import VirtXML

extension StorageVolume: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var type: Kind? = kind
        try x.attribute("type", &type, invalid: .unsupportedWord("unknown volume type"))
        if let type { kind = type }
        var given: String? = name
        try x.textElement("name", &given)
        name = given ?? ""
        if x.isReading, name.isEmpty { throw Self.malformed("missing volume name element") }
        try x.textElement("key", &key)
        try mapSizes(&x)
        try x.element("target", &target, always: true)
        if let node = x.node, node.child("backingStore")?.child("path") == nil {
            backing = nil
            return
        }
        try x.element("backingStore", &backing)
    }

    private mutating func mapSizes<M: ElementMapper>(_ x: inout M) throws {
        if let node = x.node {
            capacity = try Self.size(node.child("capacity"))
            allocation = try Self.size(node.child("allocation"))
            return
        }
        var sizes: [UInt64?] = [capacity ?? 0, allocation ?? 0, physical == 0 ? nil : physical]
        try x.sizeElement("capacity", bytes: &sizes[0])
        try x.sizeElement("allocation", bytes: &sizes[1])
        try x.sizeElement("physical", bytes: &sizes[2])
    }

    /// Files end at 2^63 bytes.
    private static func size(_ element: XMLNode?) throws(VirtError) -> UInt64? {
        guard let element else { return nil }
        let text = element.text
        if text.isEmpty { return nil }
        guard let number: UInt64 = IntegerText.parse(text) else { throw malformed("malformed capacity element") }
        return try ScaledSize.bytes(
            number, unit: element.attribute("unit"), scale: 1, limit: UInt64(Int64.max))
    }

    private static func malformed(_ text: String) -> VirtError { VirtError(.xmlError, .storage, text) }
}

extension StorageVolume.Target: XMLMappable {
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        var place: String? = path
        try x.textElement("path", &place)
        path = place ?? ""
        try mapFormat(&x)
        try x.element("permissions", &permissions)
        if x.isWriting { try x.element("timestamps", &timestamps) }
        try mapEncryption(&x)
        try mapCompat(&x)
        if x.isReading { try x.presence("nocow", &noCopyOnWrite) }
        try mapClusterSize(&x)
        try mapFeatures(&x)
    }

    private mutating func mapFormat<M: ElementMapper>(_ x: inout M) throws {
        var word: String? = x.isReading ? nil : format.rawValue
        try x.group("format") { try $0.attribute("type", &word) }
        guard x.isReading, let word, !word.isEmpty else { return }
        guard let known = StorageFileFormat(rawValue: word), known != .none else {
            throw VirtError(.configUnsupported, .storage, "unknown volume format type \(word)")
        }
        format = known
    }

    private mutating func mapEncryption<M: ElementMapper>(_ x: inout M) throws {
        guard x.isWriting, let encryption, encryption.secrets.isEmpty else {
            return try x.element("encryption", &encryption)
        }
        // libvirt prints start and end tag of an encryption without secrets on lines of their own.
        let tag = "<encryption format='\(encryption.format.rawValue)'>\n    </encryption>"
        var text: XMLFragment? = XMLFragment(text: tag)
        x.fragment("encryption", &text, level: 2)
    }

    private mutating func mapCompat<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("compat", &compat)
        guard x.isReading, let compat else { return }
        let parts = compat.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, UInt32(parts[0]) != nil, UInt32(parts[1]) != nil else {
            throw VirtError(.xmlError, .storage, "forbidden characters in 'compat' attribute")
        }
    }

    private mutating func mapClusterSize<M: ElementMapper>(_ x: inout M) throws {
        guard let node = x.node else {
            if clusterSize == 0 { return }
            var value: UInt64? = clusterSize
            return try x.group("clusterSize") { try $0.size(scale: 1, unit: "B", &value) }
        }
        guard let element = node.child("clusterSize") else { return }
        guard let number: UInt64 = IntegerText.parse(element.text) else {
            let path = "./target/clusterSize"
            throw VirtError(.xmlError, .xml, "Invalid value '\(element.text)' for element or attribute '\(path)'")
        }
        clusterSize = try ScaledSize.bytes(number, unit: element.attribute("unit"), scale: 1)
    }

    private mutating func mapFeatures<M: ElementMapper>(_ x: inout M) throws {
        guard let node = x.node else {
            guard let features else { return }
            return try x.group("features", always: true) { x in
                for feature in StorageFileFeature.allCases where features.contains(feature) {
                    var yes = true
                    try feature.map(&x, &yes)
                }
            }
        }
        guard let element = node.child("features") else { return }
        features = try element.children.map { (child) throws(VirtError) in
            guard let feature = StorageFileFeature(rawValue: child.name) else {
                throw VirtError(.configUnsupported, .storage, "unsupported feature \(child.name)")
            }
            return feature
        }
        if compat == nil { compat = "1.1" }
    }
}

extension StorageFileFeature {
    fileprivate func map<M: ElementMapper>(_ x: inout M, _ isThere: inout Bool) throws {
        switch self {
        case .lazyRefcounts: try x.presence("lazy_refcounts", &isThere)
        case .extendedL2: try x.presence("extended_l2", &isThere)
        }
    }
}

extension StorageTimestamps: XMLMappable {
    package init() {
        let zero = Time(seconds: 0, nanoseconds: 0)
        self.init(access: zero, modification: zero, change: zero)
    }

    /// Printed only: nobody sets a file's times by a definition.
    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        if x.isReading { return }
        var texts: [String?] = [access.text, modification.text, change.text, birth?.text ?? "0"]
        try x.textElement("atime", &texts[0])
        try x.textElement("mtime", &texts[1])
        try x.textElement("ctime", &texts[2])
        try x.textElement("btime", &texts[3])
    }
}
