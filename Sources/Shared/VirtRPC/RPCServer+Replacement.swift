import Synchronization
import VirtCore
package import VirtOS

extension RPCServer {
    /// Accepts no more clients and answers the calls of those that are here, for at most `grace`. What clients send from
    /// now on waits in the kernel.
    package func suspend(grace: Duration, on loop: EventLoop) async {
        for listener in currentListeners {
            await withCheckedContinuation { continuation in
                listener.loop.execute {
                    listener.stop()
                    continuation.resume()
                }
            }
        }
        let deadline = MonotonicTime.now() + grace
        for connection in core.connections { await connection.suspend() }
        while await !isAtRest(), MonotonicTime.now() < deadline {
            do {
                try await loop.sleep(for: .milliseconds(1))
            } catch {
                return
            }
        }
    }

    private func isAtRest() async -> Bool {
        for connection in core.connections {
            guard await connection.isAtRest else { return false }
        }
        return true
    }

    /// What another program needs to go on as this server, which must be suspended. A client that is busy still, or
    /// does not read its replies, is not in it: its connection ends.
    package func saved(isOwn: Bool) async -> SavedServer {
        var server = SavedServer(limits: core.limits, nextID: core.lastID &+ 1)
        server.services = currentListeners.map {
            SavedService(
                descriptor: $0.descriptor.rawValue, isReadOnly: $0.readOnly, authentication: $0.authentication,
                isOwn: isOwn)
        }
        for connection in core.connections {
            if let client = await connection.saved() {
                server.clients.append(client)
            } else {
                log.warning("client \(connection.client.id) of server \(name) is busy and loses its connection")
            }
        }
        return server
    }

    /// Goes on after `suspend`, for a program that could not be replaced.
    package func resume() {
        for connection in core.connections {
            connection.client.loop.execute { connection.assumeIsolated { $0.resume() } }
        }
        startAccepting()
    }

    /// Takes over a client of the program before. It is served once `startAccepting` is called.
    package func restore(_ saved: SavedClient, _ descriptor: DescriptorBox) -> ClientHandle {
        core.lastID = saved.id
        let client = ClientHandle(
            id: core.client(saved.id) == nil ? saved.id : core.nextID(), loop: loops.next(),
            identity: Identity(peerOf: descriptor), isReadOnly: saved.isReadOnly,
            authentication: saved.authentication, connectTime: saved.connectTime)
        if saved.isAuthenticated { client.state.withLock { $0.isAuthenticated = true } }
        let connection = register(descriptor, client)
        restored.withLock { $0.append((connection, saved.input)) }
        return client
    }
}
