package import VirtCore
package import VirtXML

/// A memory module (`<memory>` among the devices).
package struct MemoryDevice: Equatable, Sendable, XMLMappable {
    package enum Model: String, XMLEnum {
        case dimm, nvdimm
        case virtioPMEM = "virtio-pmem"
        case virtioMem = "virtio-mem"
        case sgxEPC = "sgx-epc"
    }

    package var model = Model.dimm
    package var access: MemoryBacking.Access?
    package var discard: Bool?
    package var uuid: UUID?
    package var source = Source()
    package var target = Target()
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.attribute("access", &access)
        try x.attribute("discard", &discard)
        try x.textElement("uuid", &uuid)
        try x.element("source", &source)
        try x.element("target", &target)
        try info.map(&x)
    }

    package struct Source: Equatable, Sendable, XMLMappable {
        package var nodemask: BitSet?
        /// In KiB.
        package var pageSize: UInt64?
        package var path: String?
        package var alignSize: UInt64?
        package var pmem = false

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.textElement("nodemask", &nodemask)
            try x.sizeElement("pagesize", kibibytes: &pageSize)
            try x.textElement("path", &path)
            try x.sizeElement("alignsize", kibibytes: &alignSize)
            try x.presence("pmem", &pmem)
        }
    }

    /// What the guest sees; sizes in KiB.
    package struct Target: Equatable, Sendable, XMLMappable {
        package var size: UInt64?
        package var node: UInt32?
        package var labelSize: UInt64?
        package var readonly = false
        package var blockSize: UInt64?
        package var requestedSize: UInt64?
        package var currentSize: UInt64?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.sizeElement("size", kibibytes: &size)
            try x.textElement("node", &node)
            try x.group("label") { try $0.sizeElement("size", kibibytes: &labelSize) }
            try x.presence("readonly", &readonly)
            try x.sizeElement("block", kibibytes: &blockSize)
            try x.sizeElement("requested", kibibytes: &requestedSize)
            if !x.flags.contains(.inactive) { try x.sizeElement("current", kibibytes: &currentSize) }
        }
    }
}
