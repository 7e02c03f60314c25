extension Network {
    /// What the name server answers (`<dns>`).
    package struct DNS: Equatable, Sendable {
        package var isEnabled: Bool?
        package var forwardsPlainNames: Bool?
        package var forwarders: [Forwarder] = []
        package var texts: [Text] = []
        package var services: [Service] = []
        package var hosts: [Host] = []

        package init() {}

        /// Whether dnsmasq answers names at all.
        package var isWanted: Bool { isEnabled != false }
        package var hasRecords: Bool {
            !(forwarders.isEmpty && texts.isEmpty && services.isEmpty && hosts.isEmpty)
        }
    }

    /// A server that names are asked from: all, or those of a domain.
    package struct Forwarder: Equatable, Sendable {
        package var domain: String?
        package var address: IPAddress?

        package init() {}
    }

    package struct Text: Equatable, Sendable {
        package var name = ""
        package var value: String?

        package init() {}
    }

    package struct Service: Equatable, Sendable {
        package var service: String?
        package var transport: String?
        package var domain: String?
        package var target: String?
        package var port: UInt32?
        package var priority: UInt32?
        package var weight: UInt32?

        package init() {}
    }

    package struct Host: Equatable, Sendable {
        package var ip: IPAddress?
        package var names: [String] = []

        package init() {}
    }
}
