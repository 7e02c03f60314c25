import VirtCore
package import VirtXML

/// Where an image is: the attributes and children of `<source>`. The type stands on the element around it.
package struct DiskSource: Equatable, Sendable, XMLMappable {
    package enum Kind: String, XMLEnum {
        case file, block, dir, network, volume, nvme, vhostuser
        case vhostvdpa
    }
    package enum NetworkProtocol: String, XMLEnum {
        case nbd, rbd, sheepdog, gluster, iscsi, http, https, ftp, ftps, tftp, ssh, vxhs, nfs
    }
    package enum StartupPolicy: String, XMLEnum { case mandatory, requisite, optional }
    package enum VolumeMode: String, XMLEnum { case host, direct }

    package var type = Kind.file
    package var file: String?
    package var dev: String?
    package var dir: String?
    package var pool: String?
    package var volume: String?
    package var mode: VolumeMode?
    package var network = DiskNetwork()
    package var nvme: NVMeSource?
    package var vhostUser: VhostUserSource?
    package var startupPolicy: StartupPolicy?
    /// The image's number in a running guest, from 1.
    package var index: UInt32?
    package var fdGroup: String?
    package var labels: [SecurityLabel.OfDevice] = []
    package var slices: [Slice] = []
    package var auth: StorageAuth?
    package var encryption: StorageEncryption?
    package var reservations: Reservations?
    /// What a status document says beyond the index.
    package var privateData: PrivateData?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try mapPlace(&x)
        try x.attribute("startupPolicy", &startupPolicy)
        try mapIndex(&x)
        if type == .network { try network.mapChildren(&x) }
        if type == .nvme { try x.group("address") { try nvme?.map(&$0) } }
        if type == .vhostuser { try x.element("reconnect", &network.reconnect) }
        if type != .network { try labels.map(&x) }
        try x.group("slices") { try $0.elements("slice", &slices) }
        try x.element("auth", &auth)
        try x.element("encryption", &encryption)
        try x.element("reservations", &reservations)
        if type == .network { try network.mapTransport(&x) }
        if x.flags.contains(.status) { try mapPrivateData(&x) }
    }

    /// The image's names in QEMU's block layer follow from its index.
    private mutating func mapPrivateData<M: ElementMapper>(_ x: inout M) throws {
        if x.isWriting {
            var named = self
            named.nameNodes()
            try x.element("privateData", &named.privateData)
        } else {
            try x.element("privateData", &privateData)
        }
    }

    /// Says the names that follow from the index, for where the index itself is not printed.
    mutating func nameNodes() {
        guard let index, privateData?.nodes.isEmpty ?? true else { return }
        privateData = privateData ?? PrivateData()
        privateData?.nodes = [
            PrivateData.Node("storage", "libvirt-\(index)-storage"),
            PrivateData.Node("format", "libvirt-\(index)-format"),
        ]
    }

    /// The driver's own knowledge of an image.
    package struct PrivateData: Equatable, Sendable, XMLMappable {
        /// A name in QEMU's block layer.
        package struct Node: Equatable, Sendable, XMLMappable {
            package var type = ""
            package var name = ""

            package init() {}
            package init(_ type: String, _ name: String) {
                self.type = type
                self.name = name
            }

            package mutating func map<M: ElementMapper>(_ x: inout M) throws {
                try x.attribute("type", &type)
                try x.attribute("name", &name)
            }
        }

        package var nodes: [Node] = []
        /// The path as the image above says it.
        package var relativePath: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.group("nodenames") { try $0.elements("nodename", &nodes) }
            try x.textElement("relPath", &relativePath)
        }
    }

    private mutating func mapPlace<M: ElementMapper>(_ x: inout M) throws {
        switch type {
        case .file:
            try x.attribute("file", &file)
            try x.attribute("fdgroup", &fdGroup)
        case .block, .vhostvdpa: try x.attribute("dev", &dev)
        case .dir: try x.attribute("dir", &dir)
        case .volume:
            try x.attribute("pool", &pool)
            try x.attribute("volume", &volume)
            try x.attribute("mode", &mode)
        case .network: try network.mapAttributes(&x)
        case .nvme:
            var nvme = self.nvme ?? NVMeSource()
            try nvme.mapAttributes(&x)
            self.nvme = nvme
        case .vhostuser:
            var user = vhostUser ?? VhostUserSource()
            try user.map(&x)
            vhostUser = user
        }
    }

    private mutating func mapIndex<M: ElementMapper>(_ x: inout M) throws {
        if x.isWriting, x.flags.contains(.inactive) { return }
        try x.attribute("index", &index)
        if x.isReading, x.flags.contains(.inactive) { index = nil }
    }

    /// Nothing is said about the place: an empty drive.
    package var isEmpty: Bool {
        switch type {
        case .file: file == nil
        case .block, .vhostvdpa: dev == nil
        case .dir: dir == nil
        case .volume: pool == nil
        case .network, .nvme, .vhostuser: false
        }
    }

    /// The path on this host, if it is one; a volume's once the storage daemon has said it.
    package var path: String? {
        switch type {
        case .file, .volume: file
        case .block, .vhostvdpa: dev
        case .dir: dir
        case .network: network.name
        case .vhostuser: vhostUser?.path
        case .nvme: nil
        }
    }

    /// A part of an image that holds the data.
    package struct Slice: Equatable, Sendable, XMLMappable {
        package var type = "storage"
        package var offset: UInt64 = 0
        package var size: UInt64 = 0

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("type", &type)
            try x.required("offset", &offset)
            try x.required("size", &size)
        }
    }

    /// SCSI persistent reservations.
    package struct Reservations: Equatable, Sendable, XMLMappable {
        package var managed: Bool?
        package var source: VhostUserSource?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("managed", &managed)
            try x.element("source", &source)
        }
    }
}

/// A namespace of a host's NVMe controller.
package struct NVMeSource: Equatable, Sendable, XMLMappable {
    package var managed: Bool?
    package var namespace: UInt64 = 0
    package var address = PCIAddress()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws { try address.map(&x) }

    mutating func mapAttributes<M: ElementMapper>(_ x: inout M) throws {
        var type = "pci"
        try x.required("type", &type)
        try x.attribute("managed", &managed)
        try x.required("namespace", &namespace)
    }
}

/// A socket that serves the device.
package struct VhostUserSource: Equatable, Sendable, XMLMappable {
    package var type = "unix"
    package var path: String?
    package var mode: String?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &type)
        try x.attribute("path", &path)
        try x.attribute("mode", &mode)
    }
}
