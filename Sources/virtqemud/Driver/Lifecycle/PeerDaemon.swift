import VirtCore
import VirtOS
import VirtRPC
import VirtWire

/// Another driver's daemon, asked on this driver's own behalf (the daemon's identity, not a client's).
struct PeerDaemon: Sendable {
    let client: RPCClient

    /// Opens `network:///system` and its like; the daemon's socket may be the start of it.
    static func connect(_ scheme: String, _ driver: QEMUDriver, loop: EventLoop) async throws -> PeerDaemon {
        let name = scheme == "storage" ? "virtstoraged" : "virt\(scheme)d"
        let session = driver.paths.isSession
        let client = try await RPCClient.connect(path: "\(driver.paths.run)/\(name)-sock", loop: loop)
        do {
            _ = try await client.call(RemoteProgram.AuthList.self, .init())
            let uri = "\(scheme):///\(session ? "session" : "system")"
            _ = try await client.call(RemoteProgram.ConnectOpen.self, .init(name: uri, flags: 0))
            return PeerDaemon(client: client)
        } catch {
            client.close()
            throw error
        }
    }

    func close() { client.close() }
}
