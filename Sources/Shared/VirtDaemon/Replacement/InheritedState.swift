import Glibc
package import VirtCore
package import VirtOS
package import VirtRPC

private let log = Logger("daemon.restart")

/// What the program before left to this one, its descriptors included.
package struct InheritedState: Sendable {
    package struct Service: Sendable {
        package let saved: SavedService
        package let descriptor: DescriptorBox
    }

    package struct Client: Sendable {
        package let saved: SavedClient
        package let descriptor: DescriptorBox
    }

    package struct Server: Sendable {
        package let saved: SavedServer
        package let services: [Service]
        package let clients: [Client]
    }

    package let servers: [String: Server]
    /// The driver's part.
    package let driver: JSONObject

    /// Takes over what the document at `path` names and removes it; nil when there is none, or none for this process. A
    /// document that makes no sense is refused as a whole.
    static func take(_ path: String) throws(VirtError) -> InheritedState? {
        guard FileSystem.exists(path) else { return nil }
        defer { unsafe unlink(path) }
        let state = try RestartState(parsing: try FileSystem.read(path, limit: RestartState.limit))
        guard state.magic == String(getpid()) else {
            log.warning("Found restart exec file with old magic \(state.magic) vs wanted \(getpid())")
            return nil
        }
        return try InheritedState(state)
    }

    /// As `take`; after a refusal the daemon starts empty.
    static func takeOrStartEmpty(_ path: String) -> InheritedState? {
        do throws(VirtError) {
            return try take(path)
        } catch {
            log.error("the state in '\(path)' is refused, nothing is taken over: \(error.message)")
            InheritedDescriptor.closeUnclaimed()
            return nil
        }
    }

    private init(_ state: RestartState) throws(VirtError) {
        var servers: [String: Server] = [:]
        for (name, saved) in state.servers {
            var services: [Service] = []
            for service in saved.services {
                let socket = try InheritedDescriptor.claim(service.descriptor, .listeningSocket)
                services.append(Service(saved: service, descriptor: socket))
            }
            servers[name] = Server(saved: saved, services: services, clients: Self.clients(saved, of: name))
        }
        self.servers = servers
        driver = state.driver
    }

    /// A client whose socket is not there costs no other its own.
    private static func clients(_ server: SavedServer, of name: String) -> [Client] {
        server.clients.compactMap { client in
            do throws(VirtError) {
                return Client(
                    saved: client, descriptor: try InheritedDescriptor.claim(client.descriptor, .connectedSocket))
            } catch {
                log.error("client \(client.id) of server \(name) is lost: \(error.message)")
                return nil
            }
        }
    }
}
