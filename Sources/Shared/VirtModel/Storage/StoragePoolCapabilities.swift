package import VirtXML

/// What kinds of pools a daemon serves (`<storagepoolCapabilities>`), for STORAGE_POOL_CAPABILITIES.
package struct StoragePoolCapabilities: XMLMappable {
    private var pools: [Entry] = []

    package init() {}

    /// All kinds, in libvirt's order, with those marked that can be used.
    package init(supported: Set<StoragePoolType>) {
        pools = StoragePoolType.allCases.map { Entry($0, isSupported: supported.contains($0)) }
    }

    package mutating func map<M: ElementMapper>(_ x: inout M) throws { try x.elements("pool", &pools) }

    package func format() throws -> String { try ElementWriter.document("storagepoolCapabilities", self) }

    private struct Entry: XMLMappable {
        var type = StoragePoolType.dir
        var isSupported = false

        init() {}
        init(_ type: StoragePoolType, isSupported: Bool) {
            self.type = type
            self.isSupported = isSupported
        }

        mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("type", &type)
            try x.attribute("supported", &isSupported)
            var source = Choice(type.sourceFormats, type.defaultSourceFormat ?? "", "sourceFormatType")
            var volume = type.volumeChoice
            if !type.sourceFormats.isEmpty { try x.element("poolOptions", &source) }
            if let words = volume?.words, !words.isEmpty || type == .rbd { try x.element("volOptions", &volume) }
        }
    }

    /// The formats that can be asked for.
    fileprivate struct Choice: XMLMappable {
        var words: [String] = []
        var standard = ""
        var name = ""

        init() {}
        init(_ words: [String], _ standard: String, _ name: String) {
            (self.words, self.standard, self.name) = (words, standard, name)
        }

        mutating func map<M: ElementMapper>(_ x: inout M) throws {
            var (words, standard, name) = (words, standard, name)
            try x.group("defaultFormat") { try $0.attribute("type", &standard) }
            try x.group("enum") { x in
                try x.attribute("name", &name)
                try x.textElements("value", &words)
            }
        }
    }
}

extension StoragePoolType {
    fileprivate var volumeChoice: StoragePoolCapabilities.Choice? {
        switch self {
        case .dir, .fs, .netfs, .gluster, .vstorage:
            .init(StorageFileFormat.allCases.map { $0.rawValue }, "raw", "targetFormatType")
        case .disk:
            .init(
                ["none", "linux", "fat16", "fat32", "linux-swap", "linux-lvm", "linux-raid", "extended"], "none",
                "targetFormatType")
        case .rbd: .init([], "raw", "targetFormatType")
        case .logical, .iscsi, .iscsiDirect, .scsi, .mpath, .sheepdog, .zfs: nil
        }
    }
}
