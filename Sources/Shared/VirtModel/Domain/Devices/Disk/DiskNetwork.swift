import VirtCore
package import VirtXML

/// An image on a server: the parts of `<source>` that only network disks have.
package struct DiskNetwork: Equatable, Sendable {
    package var `protocol`: DiskSource.NetworkProtocol?
    package var name: String?
    package var query: String?
    package var tls: Bool?
    package var tlsHostname: String?
    package var hosts: [Host] = []
    package var snapshot: String?
    package var configFile: String?
    package var initiatorIQN: String?
    package var cookies: [Cookie] = []
    package var sslVerify: Bool?
    package var readahead: UInt64?
    package var timeout: UInt64?
    package var reconnect: Reconnect?
    package var identity: Identity?
    package var knownHosts: String?

    package init() {}

    mutating func mapAttributes<M: ElementMapper>(_ x: inout M) throws {
        try x.attribute("protocol", &`protocol`)
        if x.isReading, `protocol` == nil {
            throw VirtError.missingAttribute("protocol", of: "source")
        }
        try x.attribute("name", &name)
        try x.attribute("query", &query)
        try x.attribute("tls", &tls)
        try x.attribute("tlsHostname", &tlsHostname)
    }

    mutating func mapChildren<M: ElementMapper>(_ x: inout M) throws {
        try x.elements("host", &hosts)
        try x.valueElement("snapshot", "name", &snapshot)
        try x.valueElement("config", "file", &configFile)
        try x.group("initiator") { try $0.valueElement("iqn", "name", &initiatorIQN) }
        try x.element("reconnect", &reconnect)
        try x.element("identity", &identity)
        try x.valueElement("knownHosts", "path", &knownHosts)
        if `protocol` != .rbd, x.isWriting { return }
    }

    mutating func mapTransport<M: ElementMapper>(_ x: inout M) throws {
        try x.valueElement("ssl", "verify", &sslVerify)
        try x.group("cookies") { try $0.elements("cookie", &cookies) }
        try x.valueElement("readahead", "size", &readahead)
        try x.valueElement("timeout", "seconds", &timeout)
    }

    package struct Host: Equatable, Sendable, XMLMappable {
        package enum Transport: String, XMLEnum { case tcp, unix, rdma }
        package var transport: Transport?
        package var name: String?
        package var port: UInt32?
        package var socket: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("name", &name)
            try x.attribute("port", &port)
            try x.attribute("transport", &transport)
            try x.attribute("socket", &socket)
            if x.isReading, transport == .tcp { transport = nil }
        }
    }

    package struct Cookie: Equatable, Sendable, XMLMappable {
        package var name = ""
        package var value = ""

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            if x.isReading || x.flags.contains(.secure) { try x.text(&value) }
        }
    }

    package struct Reconnect: Equatable, Sendable, XMLMappable {
        package var enabled: Bool?
        package var timeout: UInt32?
        package var delay: UInt64?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("enabled", &enabled)
            try x.attribute("timeout", &timeout)
            try x.attribute("delay", &delay)
            if x.isReading, enabled == false { timeout = nil }
        }
    }

    package struct Identity: Equatable, Sendable, XMLMappable {
        package var user: String?
        package var group: String?
        package var userName: String?
        package var keyFile: String?

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.attribute("user", &user)
            try x.attribute("group", &group)
            try x.attribute("username", &userName)
            try x.attribute("keyfile", &keyFile)
        }
    }
}
