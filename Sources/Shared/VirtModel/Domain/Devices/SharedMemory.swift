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
