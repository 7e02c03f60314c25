import Synchronization
import VirtCore
import VirtModel
import VirtXML

/// A network as it is at one moment. Entries are values: who holds one is not disturbed by later changes.
struct NetworkEntry: Sendable {
    /// The persistent definition; nil for a transient network.
    var persistent: Network?
    /// The running network; nil while it is stopped.
    var status: NetworkStatus?
    /// A transient network that is being started for the first time.
    var pending: Network?
    var ports: [NetworkPort] = []
    var isAutostarted = false
    private let text = TextCache()

    init(persistent: Network? = nil, status: NetworkStatus? = nil, pending: Network? = nil) {
        self.persistent = persistent
        self.status = status
        self.pending = pending
    }

    var isActive: Bool { status != nil }
    var isPersistent: Bool { persistent != nil }
    /// The definition in force: of the running network, else the persistent one.
    var current: Network { status?.network ?? persistent ?? pending ?? Network() }
    var name: String { current.name }
    var uuid: UUID { current.uuid }

    func port(_ uuid: UUID) throws(VirtError) -> NetworkPort {
        guard let port = ports.first(where: { $0.uuid == uuid }) else {
            throw VirtError(.noNetworkPort, .network, "Network port with UUID \(uuid) does not exist")
        }
        return port
    }

    /// Refuses what needs a running network.
    func requireActive() throws(VirtError) -> NetworkStatus {
        guard let status else {
            throw VirtError(.operationInvalid, .network, "network '\(name)' is not active")
        }
        return status
    }

    /// The definition as a client gets it.
    func xml(inactive: Bool) throws -> String {
        try text.text(inactive) {
            let shown = inactive ? persistent ?? current : current
            return try shown.format(inactive ? .inactive : [])
        }
    }

    /// A copy whose texts are made anew.
    func changed(_ body: (inout NetworkEntry) throws -> Void) rethrows -> NetworkEntry {
        var copy = NetworkEntry(persistent: persistent, status: status, pending: pending)
        copy.ports = ports
        copy.isAutostarted = isAutostarted
        try body(&copy)
        return copy
    }
}

/// The printed forms of one entry, made when they are first asked for.
private final class TextCache: Sendable {
    private let texts = Mutex<[Bool: String]>([:])

    func text(_ key: Bool, _ make: () throws -> String) rethrows -> String {
        if let known = texts.withLock({ $0[key] }) { return known }
        let made = try make()
        texts.withLock { $0[key] = made }
        return made
    }
}
