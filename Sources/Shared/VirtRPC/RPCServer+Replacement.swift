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
        for connection in core.connections { await connection.suspend() }
        let start = MonotonicTime.now()
        while true {
            let (isBusy, isInMessage) = await activity()
            let limit = isBusy ? grace : isInMessage ? min(grace, Self.messageGrace) : .zero
            guard MonotonicTime.now() < start + limit else { return }
            do {
                try await loop.sleep(for: .milliseconds(1))
            } catch {
                return
            }
        }
    }

    /// The rest of a message follows at once, or comes from a client that takes its time: that gets it later.
    private static let messageGrace = Duration.milliseconds(200)

    private func activity() async -> (isBusy: Bool, isInMessage: Bool) {
        var result = (isBusy: false, isInMessage: false)
        for connection in core.connections {
            if await connection.isBusy { result.isBusy = true }
            if await connection.isInMessage { result.isInMessage = true }
        }
        return result
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
