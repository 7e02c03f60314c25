import VirtCore
package import VirtXML

/// A host directory that the guest sees (`<filesystem>`).
package struct Filesystem: GuestDevice {
    package enum Kind: String, XMLEnum { case mount, block, file, template, ram, bind, volume }
    package enum AccessMode: String, XMLEnum { case passthrough, mapped, squash }
    package enum Driver: String, XMLEnum { case path, handle, loop, nbd, ploop, virtiofs }
    package enum WritePolicy: String, XMLEnum { case immediate }
    package enum Multidevs: String, XMLEnum { case remap, forbid, warn }

    package var type = Kind.mount
    package var accessMode: AccessMode?
    package var multidevs: Multidevs?
    package var model: Disk.Model?
    package var createMode: UInt32?
    package var directoryMode: UInt32?
    package var driver: Driver?
    package var driverFormat: String?
    package var writePolicy: WritePolicy?
    package var queueSize: UInt32?
    package var virtio = VirtioOptions()
    package var binary: Binary?
    package var sourceDirectory: String?
    package var sourceSocket: String?
    package var targetDirectory: String?
    package var readonly = false
    package var spaceHardLimit: UInt64?
    package var spaceSoftLimit: UInt64?
    package var info = DeviceInfo()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("type", &type)
        try x.attribute("accessmode", &accessMode)
        try x.attribute("model", &model)
        try x.attribute("multidevs", &multidevs)
        try x.attribute("fmode", &createMode, .octal(4))
        try x.attribute("dmode", &directoryMode, .octal(4))
        try x.group("driver") { x in
            try x.attribute("type", &driver)
            try x.attribute("format", &driverFormat)
            try x.attribute("wrpolicy", &writePolicy)
            try x.attribute("queue", &queueSize)
            try virtio.map(&x)
        }
        try x.element("binary", &binary)
        try x.group("source") { x in
            try x.attribute("dir", &sourceDirectory)
            try x.attribute("socket", &sourceSocket)
        }
        if x.isReading, accessMode == nil, sourceSocket == nil { accessMode = .passthrough }
        try x.valueElement("target", "dir", &targetDirectory)
        try x.presence("readonly", &readonly)
        try x.sizeElement("space_hard_limit", bytes: &spaceHardLimit)
        try x.sizeElement("space_soft_limit", bytes: &spaceSoftLimit)
        try info.map(&x, [.boot])
    }

    /// virtiofsd and how it runs.
    package struct Binary: Equatable, Sendable, XMLMappable {
        package var path: String?
        package var xattr: Bool?
        package var cacheMode: String?
        package var sandboxMode: String?
        package var lockPOSIX: Bool?
        package var lockFlock: Bool?
        package var threadPoolSize: UInt32?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("path", &path)
            try x.attribute("xattr", &xattr, .onOff)
            try x.valueElement("cache", "mode", &cacheMode)
            try x.valueElement("sandbox", "mode", &sandboxMode)
            try x.group("lock") { x in
                try x.attribute("posix", &lockPOSIX, .onOff)
                try x.attribute("flock", &lockFlock, .onOff)
            }
            try x.valueElement("thread_pool", "size", &threadPoolSize)
        }
    }
}

extension Filesystem {
    func validate(_ context: DomainValidation) throws(VirtError) {
        guard type == .mount else { throw VirtError.unsupported("only supports mount filesystem type", .qemu) }
        if driver == .handle, accessMode ?? .passthrough != .passthrough {
            throw VirtError.unsupported("only supports passthrough accessmode", .qemu)
        }
        guard driver == .virtiofs else { return }
        guard context.hasSharedMemory else {
            throw VirtError.unsupported("'virtiofs' requires shared memory", .qemu)
        }
        if readonly { throw VirtError.unsupported("virtiofs does not yet support read-only mode", .qemu) }
        if let accessMode, accessMode != .passthrough {
            throw VirtError.unsupported("virtiofs only supports passthrough accessmode", .qemu)
        }
    }
}

extension Filesystem: AddressedDevice {
    func needs(_ policy: PCIPolicy) -> PCIConnection { policy.virtio(isTransitional: model == .virtioTransitional) }
    func isVirtio(ccw: Bool) -> Bool { ccw }
}
