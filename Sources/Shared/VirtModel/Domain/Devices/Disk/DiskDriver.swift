package import VirtXML

/// How QEMU works with an image (a disk's `<driver>`).
package struct DiskDriver: Equatable, Sendable, XMLMappable {
    package enum Cache: String, XMLEnum {
        case `default`, none, writethrough, writeback, directsync, unsafe
    }
    package enum ErrorPolicy: String, XMLEnum { case `default`, stop, report, ignore, enospace }
    package enum IO: String, XMLEnum {
        case native, threads
        case uring = "io_uring"
    }
    package enum Discard: String, XMLEnum { case unmap, ignore }
    package enum DetectZeroes: String, XMLEnum { case off, on, unmap }

    package var name: String?
    package var type: String?
    package var cache: Cache?
    package var errorPolicy: ErrorPolicy?
    package var readErrorPolicy: ErrorPolicy?
    package var io: IO?
    package var ioeventfd: Bool?
    package var eventIndex: Bool?
    package var copyOnRead: Bool?
    package var discard: Discard?
    package var iothread: UInt32?
    package var detectZeroes: DetectZeroes?
    package var discardNoUnref: Bool?
    package var queues: UInt32?
    package var queueSize: UInt32?
    package var virtio = VirtioOptions()
    package var metadataCache: MetadataCache?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("name", &name)
        try x.attribute("type", &type)
        try x.attribute("cache", &cache)
        try x.attribute("error_policy", &errorPolicy)
        try x.attribute("rerror_policy", &readErrorPolicy)
        try x.attribute("io", &io)
        try x.attribute("ioeventfd", &ioeventfd, .onOff)
        try x.attribute("event_idx", &eventIndex, .onOff)
        try x.attribute("copy_on_read", &copyOnRead, .onOff)
        try x.attribute("discard", &discard)
        try x.attribute("iothread", &iothread)
        try x.attribute("detect_zeroes", &detectZeroes)
        try x.attribute("queues", &queues)
        try x.attribute("queue_size", &queueSize)
        try virtio.map(&x)
        try x.element("metadata_cache", &metadataCache)
        if x.isReading { settle() }
    }

    /// Words that mean the default are not kept.
    private mutating func settle() {
        if cache == .default { cache = nil }
        if errorPolicy == .default { errorPolicy = nil }
        if readErrorPolicy == .default { readErrorPolicy = nil }
        if iothread == 0 { iothread = nil }
    }

    /// Whether anything is said at all.
    package var isEmpty: Bool { self == DiskDriver() }

    package struct MetadataCache: Equatable, Sendable, XMLMappable {
        /// In bytes.
        package var maximumSize: UInt64?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.sizeElement("max_size", bytes: &maximumSize)
        }
    }
}

/// An image's format (`<format type='qcow2'/>`).
package struct DiskFormat: Equatable, Sendable, XMLMappable {
    package var type = "raw"
    package var metadataCache: DiskDriver.MetadataCache?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("type", &type)
        try x.element("metadata_cache", &metadataCache)
    }
}

/// Limits of one disk's throughput (`<iotune>`).
package struct IOTune: Equatable, Sendable, XMLMappable {
    /// One limit, with its burst.
    package struct Limits: Equatable, Sendable {
        package var total: UInt64?
        package var read: UInt64?
        package var write: UInt64?

        package init() {}
    }

    package var bytes = Limits()
    package var iops = Limits()
    package var bytesMaximum = Limits()
    package var iopsMaximum = Limits()
    package var sizeIOPS: UInt64?
    package var groupName: String?
    package var bytesMaximumLength = Limits()
    package var iopsMaximumLength = Limits()

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.textElement("total_bytes_sec", &bytes.total)
        try x.textElement("read_bytes_sec", &bytes.read)
        try x.textElement("write_bytes_sec", &bytes.write)
        try x.textElement("total_iops_sec", &iops.total)
        try x.textElement("read_iops_sec", &iops.read)
        try x.textElement("write_iops_sec", &iops.write)
        try x.textElement("total_bytes_sec_max", &bytesMaximum.total)
        try x.textElement("read_bytes_sec_max", &bytesMaximum.read)
        try x.textElement("write_bytes_sec_max", &bytesMaximum.write)
        try x.textElement("total_iops_sec_max", &iopsMaximum.total)
        try x.textElement("read_iops_sec_max", &iopsMaximum.read)
        try x.textElement("write_iops_sec_max", &iopsMaximum.write)
        try x.textElement("size_iops_sec", &sizeIOPS)
        try x.textElement("group_name", &groupName)
        try x.textElement("total_bytes_sec_max_length", &bytesMaximumLength.total)
        try x.textElement("read_bytes_sec_max_length", &bytesMaximumLength.read)
        try x.textElement("write_bytes_sec_max_length", &bytesMaximumLength.write)
        try x.textElement("total_iops_sec_max_length", &iopsMaximumLength.total)
        try x.textElement("read_iops_sec_max_length", &iopsMaximumLength.read)
        try x.textElement("write_iops_sec_max_length", &iopsMaximumLength.write)
    }
}

extension IOTune {
    /// Whether anything but the group's name is said.
    var hasLimits: Bool {
        var other = self
        other.groupName = nil
        return other != IOTune()
    }
}
