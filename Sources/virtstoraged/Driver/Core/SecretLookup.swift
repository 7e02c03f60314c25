import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// Passphrases of volumes, asked of virtsecretd.
struct SecretLookup: Sendable {
    let socket: String
    let loop: EventLoop

    /// VIR_SECRET_USAGE_TYPE_VOLUME
    private static let volumeUsage: Int32 = 1
    /// Secrets are handed out to the drivers even if they are private.
    private static let internalUse: UInt32 = 0

    func passphrase(_ secret: StorageSecret) async throws -> [UInt8] {
        guard FileSystem.exists(socket) else {
            // Without its daemon there is no secret.
            let hint = " (virtsecretd is not running)"
            if let uuid = secret.uuid {
                throw VirtError(.noSecret, .secret, "no secret with matching uuid '\(uuid)'\(hint)")
            }
            throw VirtError(.noSecret, .secret, "no secret with matching usage '\(secret.usage ?? "")'\(hint)")
        }
        let client = try await RPCClient.connect(path: socket, loop: loop)
        defer { client.close() }
        _ = try await client.call(RemoteProgram.AuthList.self, XDRVoid())
        let opening = RemoteConnectOpenArgs(name: "secret:///system", flags: 0)
        _ = try await client.call(RemoteProgram.ConnectOpen.self, opening)
        let found = try await lookUp(secret, client)
        let arguments = RemoteSecretGetValueArgs(secret: found, flags: Self.internalUse)
        return try await client.call(RemoteProgram.SecretGetValue.self, arguments).value
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
