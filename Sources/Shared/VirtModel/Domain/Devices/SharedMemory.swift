import VirtCore
package import VirtXML

/// Memory shared between guests (`<shmem>`).
package struct SharedMemory: GuestDevice {
    package enum Model: String, XMLEnum {
        case ivshmem
        case ivshmemPlain = "ivshmem-plain"
        case ivshmemDoorbell = "ivshmem-doorbell"
    }
    package enum Role: String, XMLEnum { case master, peer }

    package var name = ""
    package var role: Role?
    package var model = Model.ivshmem
    /// In MiB.
    package var size: UInt64?
    package var serverPath: String?
    package var hasServer = false
    package var msiEnabled: Bool?
    package var msiVectors: UInt32?
    package var msiIOEventFD: Bool?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("name", &name)
        try x.attribute("role", &role)
        try x.group("model") { try $0.attribute("type", &model) }
        try x.group("size") { try $0.size(scale: 1 << 20, unit: "M", &size) }
        if x.isReading || hasServer {
            var found = false
            try x.group("server", always: true) { x in
                found = true
                try x.attribute("path", &serverPath)
            }
            if x.isReading { hasServer = found }
        }
        try x.group("msi", always: msiEnabled == true) { x in
            msiEnabled = true
            try x.attribute("vectors", &msiVectors)
            try x.attribute("ioeventfd", &msiIOEventFD, .onOff)
        }
        try info.map(&x)
    }
}

extension SharedMemory {
    mutating func complete(_ context: DomainCompletion) {
        if model != .ivshmemDoorbell, size == nil { size = 4 }
        guard model == .ivshmemDoorbell, hasServer else { return }
        msiEnabled = true
        if msiIOEventFD == nil { msiIOEventFD = true }
    }

    func validate(_ context: DomainValidation) throws(VirtError) {
        if msiEnabled == true, !hasServer { throw VirtError.malformed("msi option is only supported with a server") }
        if model == .ivshmemDoorbell, !hasServer {
            throw VirtError.unsupported(
                "shmem model 'ivshmem-doorbell' is supported only with server option enabled", .domain)
        }
        if model == .ivshmemPlain, hasServer {
            throw VirtError.unsupported(
                "shmem model 'ivshmem-plain' is supported only with server option disabled", .domain)
        }
        if model == .ivshmem {
            throw VirtError.unsupported("ivshmem device is not supported with this QEMU binary", .qemu)
        }
        guard context.emulator.has(model.rawValue) else {
            throw VirtError.unsupported("shmem model '\(model.rawValue)' is not supported by this QEMU binary", .qemu)
        }
        guard name.utf8.contains(UInt8(ascii: "/")) else { return }
        throw VirtError.malformed("shmem name cannot include '/' character")
    }
}

extension SharedMemory: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { PCIPolicy.legacy }
}
