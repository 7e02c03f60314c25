import VirtCore
import VirtOS
import VirtRPC
import VirtWire

/// virtlockd, ours or C's, as the client of one guest.
struct LockConnection: Sendable {
    private enum Flag {
        static let shared: UInt32 = 1
        static let autocreate: UInt32 = 2
    }

    private let client: RPCClient

    /// Connects on a guest's behalf. What is acquired is the guest's, and outlives the connection.
    static func open(_ driver: QEMUDriver, owner: LockOwner, loop: EventLoop) async throws -> LockConnection {
        let client = try await RPCClient.connect(path: driver.paths.lockSocket, loop: loop)
        let connection = LockConnection(client: client)
        do {
            try await connection.register(owner)
            return connection
        } catch {
            connection.close()
            throw error
        }
    }

    /// Registers the owner of a connection that it made itself and keeps, and lets nothing more be done through that.
    /// When it closes, virtlockd ends the owner.
    static func bind(_ socket: DescriptorBox, to owner: LockOwner, loop: EventLoop) async throws {
        let copy = DescriptorBox(try socket.descriptor.duplicate())
        let connection = LockConnection(client: try await RPCClient(adopting: copy, path: "virtlockd", loop: loop))
        do {
            try await connection.register(owner)
            _ = try await connection.client.call(LockProgram.Restrict.self, .init(flags: 0))
            await connection.client.leave()
        } catch {
            connection.close()
            throw error
        }
    }

    private func register(_ owner: LockOwner) async throws {
        _ = try await client.call(LockProgram.Register.self, .init(owner: owner, flags: 0))
    }

    func acquire(_ lock: GuestLock) async throws {
        // virtlockd may have been started since the space was made.
        if lock.isMade { _ = try await client.call(LockProgram.CreateLockspace.self, .init(path: lock.space)) }
        let flags = (lock.isShared ? Flag.shared : 0) | (lock.isMade ? Flag.autocreate : 0)
        _ = try await client.call(
            LockProgram.AcquireResource.self, .init(path: lock.space, name: lock.name, flags: flags))
    }

    func release(_ lock: GuestLock) async throws {
        _ = try await client.call(LockProgram.ReleaseResource.self, .init(path: lock.space, name: lock.name, flags: 0))
    }

    func close() { client.close() }
}
