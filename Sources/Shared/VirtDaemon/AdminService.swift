import Synchronization
import VirtCore
package import VirtRPC
import VirtWire

/// A server of the daemon as the admin program shows it.
package struct ServedServer: Sendable {
    package let server: RPCServer
    /// Clients read and set these; calls run on event loops, so they bound nothing.
    package var workers: WorkerNumbers

    /// The server that virt-admin itself is a client of.
    var isAdmin: Bool { server.name == "admin" }

    package init(server: RPCServer, workers: WorkerNumbers) {
        self.server = server
        self.workers = workers
    }
}

/// What virt-admin sees and changes of a daemon.
package final class AdminService: Sendable {
    private let served = Mutex<[ServedServer]>([])
    let logSetup: LogSetup
    private let setTimeout: @Sendable (UInt32) -> Void

    /// - Parameter setTimeout: changes the seconds of idleness after which the daemon ends; 0: it stays.
    package init(logSetup: LogSetup, setTimeout: @escaping @Sendable (UInt32) -> Void) {
        self.logSetup = logSetup
        self.setTimeout = setTimeout
    }

    /// Adds a server to the list.
    package func add(_ server: ServedServer) { served.withLock { $0.append(server) } }

    package var servers: [ServedServer] { served.withLock { $0 } }

    /// The server of a name; VIR_ERR_NO_SERVER. virtproxyd's also goes by the name of the daemon it stands in for, which
    /// scripts ask for on its socket.
    func server(_ name: String) throws(VirtError) -> ServedServer {
        let name = name == "libvirtd" ? "virtproxyd" : name
        guard let found = servers.first(where: { $0.server.name == name }) else {
            throw VirtError(.noServer, .rpc, "No server named '\(name)'")
        }
        return found
    }

    /// The client of an id; VIR_ERR_NO_CLIENT.
    func client(_ server: String, _ id: UInt64) throws(VirtError) -> ClientHandle {
        guard let client = try self.server(server).server.core.client(id) else {
            throw VirtError(.noClient, .rpc, "No client with matching ID '\(id)'")
        }
        return client
    }

    func setWorkers(_ name: String, _ change: (inout WorkerNumbers) throws(VirtError) -> Void) throws(VirtError) {
        var found = try server(name)
        try change(&found.workers)
        served.withLock { list in
            for index in list.indices where list[index].server.name == name { list[index].workers = found.workers }
        }
    }

    func changeTimeout(_ seconds: UInt32) { setTimeout(seconds) }
}
