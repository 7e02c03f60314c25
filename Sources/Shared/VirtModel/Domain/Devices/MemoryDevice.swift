package import VirtCore
package import VirtXML

/// A memory module (`<memory>` among the devices).
package struct MemoryDevice: GuestDevice {
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

extension MemoryDevice {
    mutating func complete(_ context: DomainCompletion) {
        let isPPC64 = context.machine.isPPC64
        switch model {
        case .virtioPMEM: if access == nil { access = .shared }
        case .nvdimm: if isPPC64, uuid == nil { uuid = .random() }
        case .dimm, .virtioMem, .sgxEPC: break
        }
        guard context.isNew, isPPC64, let size = target.size else { return }
        let alignment: UInt64 = 256 * 1024
        if model == .nvdimm {
            let label = target.labelSize ?? 0
            guard size > label else { return }
            target.size = (size - label) / alignment * alignment &+ label
        } else {
            target.size = size.addingReportingOverflow(alignment - 1).partialValue / alignment * alignment
        }
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        if model == .sgxEPC, !context.emulator.has("sgx-epc") {
            throw VirtError.unsupported("sgx epc isn't supported by this QEMU binary", .qemu)
        }
        if model == .nvdimm, uuid != nil, !context.machine.isPPC64 {
            throw VirtError.unsupported("UUID is not supported for NVDIMM device", .qemu)
        }
        let nodes = context.domain.cpu?.numa?.cells.count ?? 0
        if nodes > 0, target.node == nil, model == .dimm || model == .nvdimm || model == .virtioMem {
            throw VirtError.unsupported("target NUMA node needs to be specified for memory device", .qemu)
        }
        if let node = target.node, Int(node) >= nodes {
            throw VirtError(
                .xmlDetail, .qemu,
                "can't add memory backend for guest node '\(node)' as the guest has only '\(nodes)' NUMA nodes "
                    + "configured")
        }
    }
}

extension MemoryDevice: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { isVirtio(ccw: false) ? policy.express : [] }
    func isVirtio(ccw: Bool) -> Bool { model == .virtioPMEM || model == .virtioMem }
}
