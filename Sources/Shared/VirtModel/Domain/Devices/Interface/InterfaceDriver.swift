import VirtCore
package import VirtXML

/// How an interface's queues work (`<driver>`).
package struct InterfaceDriver: Equatable, Sendable, XMLMappable {
    package enum Name: String, XMLEnum { case qemu, vhost, vfio, kvm, xen }
    package enum TransmitMode: String, XMLEnum { case iothread, timer }

    package var name: Name?
    package var transmitMode: TransmitMode?
    package var ioeventfd: Bool?
    package var eventIndex: Bool?
    package var queues: UInt32?
    package var receiveQueueSize: UInt32?
    package var transmitQueueSize: UInt32?
    package var rss: Bool?
    package var rssHashReport: Bool?
    package var virtio = VirtioOptions()
    package var host: Offloads?
    package var guest: Offloads?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("name", &name)
        try x.attribute("txmode", &transmitMode)
        try x.attribute("ioeventfd", &ioeventfd, .onOff)
        try x.attribute("event_idx", &eventIndex, .onOff)
        try x.attribute("queues", &queues)
        try x.attribute("rx_queue_size", &receiveQueueSize)
        try x.attribute("tx_queue_size", &transmitQueueSize)
        try x.attribute("rss", &rss, .onOff)
        try x.attribute("rss_hash_report", &rssHashReport, .onOff)
        try virtio.map(&x)
        try x.element("host", &host)
        try x.element("guest", &guest)
        if x.isReading, let number = queues, number < 2 { queues = nil }
    }

    /// What the card does instead of the CPU.
    package struct Offloads: Equatable, Sendable, XMLMappable {
        package var csum: Bool?
        package var gso: Bool?
        package var tso4: Bool?
        package var tso6: Bool?
        package var ecn: Bool?
        package var ufo: Bool?
        package var mergeBuffers: Bool?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("csum", &csum, .onOff)
            try x.attribute("gso", &gso, .onOff)
            try x.attribute("tso4", &tso4, .onOff)
            try x.attribute("tso6", &tso6, .onOff)
            try x.attribute("ecn", &ecn, .onOff)
            try x.attribute("ufo", &ufo, .onOff)
            try x.attribute("mrg_rxbuf", &mergeBuffers, .onOff)
        }
    }
}

/// An address that the guest's side gets (`<ip>`).
package struct InterfaceIP: Equatable, Sendable, XMLMappable {
    package var address = ""
    package var family: String?
    package var prefix: UInt32?
    package var peer: String?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("address", &address)
        try x.attribute("family", &family)
        try x.attribute("prefix", &prefix)
        try x.attribute("peer", &peer)
        if x.isReading, family == nil { family = address.contains(":") ? "ipv6" : "ipv4" }
    }
}

/// A route that the guest's side gets (`<route>`).
package struct InterfaceRoute: Equatable, Sendable, XMLMappable {
    package var family: String?
    package var address: String?
    package var netmask: String?
    package var prefix: UInt32?
    package var gateway: String?
    package var metric: UInt32?

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("family", &family)
        try x.attribute("address", &address)
        try x.attribute("netmask", &netmask)
        try x.attribute("prefix", &prefix)
        try x.attribute("gateway", &gateway)
        try x.attribute("metric", &metric)
    }
}

/// Host ports that reach the guest through passt (`<portForward>`).
package struct PortForward: Equatable, Sendable, XMLMappable {
    package var `protocol` = "tcp"
    package var address: String?
    package var dev: String?
    package var ranges: [Range] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("proto", &`protocol`)
        try x.attribute("address", &address)
        try x.attribute("dev", &dev)
        try x.elements("range", &ranges)
    }

    package struct Range: Equatable, Sendable, XMLMappable {
        package var start: UInt32 = 0
        package var end: UInt32?
        package var to: UInt32?
        package var exclude: Bool?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("start", &start)
            try x.attribute("end", &end)
            try x.attribute("to", &to)
            try x.attribute("exclude", &exclude)
        }
    }
}
