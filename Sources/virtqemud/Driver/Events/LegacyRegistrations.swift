import Synchronization
import VirtCore
import VirtRPC

/// The registrations that clients know by event id instead of a callback id: at most one per client and event.
final class LegacyRegistrations: Sendable {
    private struct Key: Hashable {
        let client: UInt64
        let event: Int32
    }

    private let callbacks = Mutex<[Key: Int32]>([:])

    /// Registers unless the client has done so before (an error, as in libvirt).
    func add(_ client: ClientHandle, _ event: Int32, _ subscribe: () -> Int32) throws(VirtError) {
        let key = Key(client: client.id, event: event)
        let isTaken = callbacks.withLock { $0[key] != nil }
        if isTaken {
            throw VirtError(.internalError, .rpc, "domain event \(event) already registered")
        }
        let callback = subscribe()
        callbacks.withLock { $0[key] = callback }
        client.onClose { [weak self] in self?.callbacks.withLock { $0[key] = nil } }
    }

    /// Forgets a registration and returns its callback id.
    func remove(_ client: ClientHandle, _ event: Int32) throws(VirtError) -> Int32 {
        let key = Key(client: client.id, event: event)
        guard let callback = callbacks.withLock({ $0.removeValue(forKey: key) }) else {
            throw VirtError(.internalError, .rpc, "domain event \(event) not registered")
        }
        return callback
    }
}
