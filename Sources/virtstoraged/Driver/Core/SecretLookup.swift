import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// Passphrases of volumes, asked of the daemon that keeps secrets.
struct SecretLookup: Sendable {
    /// Where secrets may be served: virtsecretd's socket, and that of a daemon for all drivers.
    let sockets: [String]
    let loop: EventLoop

    /// VIR_SECRET_USAGE_TYPE_VOLUME
    private static let volumeUsage: Int32 = 1

    func passphrase(_ secret: StorageSecret) async throws -> [UInt8] {
        guard let client = await connect() else {
            // Without its daemon there is no secret.
            let hint = " (virtsecretd is not running)"
            if let uuid = secret.uuid {
                throw VirtError(.noSecret, .secret, "no secret with matching uuid '\(uuid)'\(hint)")
            }
            throw VirtError(.noSecret, .secret, "no secret with matching usage '\(secret.usage ?? "")'\(hint)")
        }
        defer { client.close() }
        let found = try await lookUp(secret, client)
        let arguments = RemoteSecretGetValueArgs(secret: found, flags: 0)
        return try await client.call(RemoteProgram.SecretGetValue.self, arguments).value
    }

    private func connect() async -> RPCClient? {
        for socket in sockets where FileSystem.exists(socket) {
            do {
                return try await open(socket)
            } catch {
                log.info("no secrets at '\(socket)': \(VirtError.text(of: error))")
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

    private func lookUp(_ secret: StorageSecret, _ client: RPCClient) async throws -> RemoteNonnullSecret {
        if let uuid = secret.uuid {
            let arguments = RemoteSecretLookupByUuidArgs(uuid: uuid)
            return try await client.call(RemoteProgram.SecretLookupByUuid.self, arguments).secret
        }
        let arguments = RemoteSecretLookupByUsageArgs(usageType: Self.volumeUsage, usageID: secret.usage ?? "")
        return try await client.call(RemoteProgram.SecretLookupByUsage.self, arguments).secret
    }
}
