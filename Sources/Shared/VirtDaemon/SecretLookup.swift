package import VirtCore
package import VirtOS
import VirtRPC
import VirtWire

/// Values of secrets, asked of the daemon that keeps them.
package struct SecretLookup: Sendable {
    /// What a secret is for (`virSecretUsageType`).
    package enum Usage: Int32, Sendable {
        case volume = 1
        case ceph, iscsi, tls, vtpm
    }

    /// How a document names a secret.
    package enum Key: Sendable, Equatable {
        case uuid(UUID)
        case usage(Usage, String)
    }

    /// Where secrets may be served: virtsecretd's socket, and that of a daemon for all drivers.
    let sockets: [String]
    let loop: EventLoop

    private static let log = Logger("daemon.secret")

    /// - Parameter directory: where the daemons' sockets are.
    package init(directory: String, loop: EventLoop) {
        sockets = ["virtsecretd-sock", "libvirt-sock"].map { "\(directory)/\($0)" }
        self.loop = loop
    }

    /// The value of a secret. Throws `noSecret` where nobody knows it.
    package func value(_ key: Key) async throws -> [UInt8] {
        guard let client = await connect() else {
            // Without its daemon there is no secret.
            let hint = " (virtsecretd is not running)"
            switch key {
            case .uuid(let uuid):
                throw VirtError(.noSecret, .secret, "no secret with matching uuid '\(uuid)'\(hint)")
            case .usage(_, let usage):
                throw VirtError(.noSecret, .secret, "no secret with matching usage '\(usage)'\(hint)")
            }
        }
        defer { client.close() }
        let found = try await lookUp(key, client)
        let arguments = RemoteSecretGetValueArgs(secret: found, flags: 0)
        return try await client.call(RemoteProgram.SecretGetValue.self, arguments).value
    }

    private func connect() async -> RPCClient? {
        for socket in sockets where FileSystem.exists(socket) {
            do {
                return try await open(socket)
            } catch {
                Self.log.info("no secrets at '\(socket)': \(error)")
            }
        }
        return nil
    }

    private func open(_ socket: String) async throws -> RPCClient {
        let client = try await RPCClient.connect(path: socket, loop: loop)
        do {
            _ = try await client.call(RemoteProgram.AuthList.self, XDRVoid())
            let arguments = RemoteConnectOpenArgs(name: "secret:///system", flags: 0)
            _ = try await client.call(RemoteProgram.ConnectOpen.self, arguments)
            try await identify(client)
            return client
        } catch {
            client.close()
            throw error
        }
    }

    /// Private secrets are handed out to the host's daemons only.
    private func identify(_ client: RPCClient) async throws {
        guard let token = SystemToken.current else { return }
        let field = TypedParameter(Identity.systemTokenField, .string(token))
        let arguments = RemoteConnectSetIdentityArgs(params: [field], flags: 0)
        _ = try await client.call(RemoteProgram.ConnectSetIdentity.self, arguments)
    }

    private func lookUp(_ key: Key, _ client: RPCClient) async throws -> RemoteNonnullSecret {
        switch key {
        case .uuid(let uuid):
            return try await client.call(RemoteProgram.SecretLookupByUuid.self, .init(uuid: uuid)).secret
        case .usage(let usage, let id):
            let arguments = RemoteSecretLookupByUsageArgs(usageType: usage.rawValue, usageID: id)
            return try await client.call(RemoteProgram.SecretLookupByUsage.self, arguments).secret
        }
    }
}
