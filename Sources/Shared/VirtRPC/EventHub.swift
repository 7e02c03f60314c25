import Synchronization
package import VirtCore

/// The event registrations of one kind of object (domains, networks, pools ...): callback ids, delivery, clean-up.
package final class EventHub<Event: Sendable>: Sendable {
    private struct Subscription: Sendable {
        let client: ClientHandle
        let deliver: @Sendable (Event, Int32) -> Void
    }

    private struct State {
        var next: Int32 = 0
        var subscriptions: [Int32: Subscription] = [:]
        var order: [Int32] = []
        var watched: Set<UInt64> = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Registers a client and returns the callback id that its messages carry.
    ///
    /// `deliver` decides by event and object whether the event is wanted, and sends it to the client.
    package func subscribe(
        _ client: ClientHandle, deliver: @escaping @Sendable (Event, _ callbackID: Int32) -> Void
    ) -> Int32 {
        let (id, isFirst) = state.withLock { state in
            let id = state.next
            state.next = id == .max ? 0 : id + 1
            state.subscriptions[id] = Subscription(client: client, deliver: deliver)
            state.order.append(id)
            return (id, state.watched.insert(client.id).inserted)
        }
        if isFirst { client.onClose { [weak self] in self?.remove(client) } }
        return id
    }

    /// Ends a registration of this client.
    package func unsubscribe(_ client: ClientHandle, callbackID: Int32) throws(VirtError) {
        let found = state.withLock { state in
            guard state.subscriptions[callbackID]?.client == client else { return false }
            state.subscriptions[callbackID] = nil
            state.order.removeAll { $0 == callbackID }
            return true
        }
        if !found {
            throw VirtError(.invalidArg, .rpc, "domain event callback \(callbackID) not registered")
        }
    }

    /// Whether anybody listens: spares the making of events.
    package var isEmpty: Bool { state.withLock { $0.order.isEmpty } }

    /// Hands the event to every registration, in the order in which they were made; from any thread.
    package func publish(_ event: Event) {
        let targets = state.withLock { state in
            state.order.compactMap { id in state.subscriptions[id].map { (id, $0) } }
        }
        for (id, subscription) in targets { subscription.deliver(event, id) }
    }

    private func remove(_ client: ClientHandle) {
        state.withLock { state in
            state.watched.remove(client.id)
            let gone = state.subscriptions.filter { $0.value.client == client }.map(\.key)
            for id in gone { state.subscriptions[id] = nil }
            state.order.removeAll { gone.contains($0) }
        }
    }
}
