import VirtCore
package import VirtXML

/// Memory shared between guests (`<shmem>`).
package struct SharedMemory: Equatable, Sendable, XMLMappable {
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

/// A lock that the guest holds while it runs (`<lease>`).
package struct Lease: Equatable, Sendable, XMLMappable {
    package var lockspace: String?
    package var key: String?
    package var path: String?
    package var offset: UInt64?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("lockspace", &lockspace)
        try x.textElement("key", &key)
        try x.group("target") { x in
            try x.attribute("path", &path)
            try x.attribute("offset", &offset)
        }
    }
}

/// POWER's non-volatile memory (`<nvram>` among the devices).
package struct NVRAMDevice: Equatable, Sendable, XMLMappable {
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws { try info.map(&x) }
}

/// A virtual crypto card (`<crypto>`).
package struct Crypto: Equatable, Sendable, XMLMappable {
    package enum Backend: String, XMLEnum { case builtin, lkcf }

    package var model = "virtio"
    package var type = "qemu"
    package var backend = Backend.builtin
    package var queues: UInt32?
    package var virtio = VirtioOptions()
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("model", &model)
        try x.required("type", &type)
        try x.group("backend") { x in
            try x.required("model", &backend)
            try x.attribute("queues", &queues)
        }
        try x.group("driver") { try virtio.map(&$0) }
        try info.map(&x)
    }
}
