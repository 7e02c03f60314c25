import Synchronization
import VirtCore
import VirtModel

/// All networks of the daemon. Reading takes the lock for a look-up and never waits for a change under way.
final class NetworkRegistry: Sendable {
    private struct State {
        var entries: [UUID: NetworkEntry] = [:]
        var names: [String: UUID] = [:]
    }

    private let state = Mutex(State())

    init() {}

    var all: [NetworkEntry] {
        state.withLock { Array($0.entries.values) }.sorted { $0.name < $1.name }
    }

    func find(_ name: String) throws(VirtError) -> NetworkEntry {
        guard let entry = state.withLock({ state in state.names[name].flatMap { state.entries[$0] } }) else {
            throw VirtError(.noNetwork, .network, "no network with matching name '\(name)'")
        }
        return entry
    }

    /// - Parameter name: what the client thinks that the network is called.
    func find(_ uuid: UUID, name: String? = nil) throws(VirtError) -> NetworkEntry {
        guard let entry = state.withLock({ $0.entries[uuid] }) else {
            throw VirtError(
                .noNetwork, .network, "no network with matching uuid '\(uuid)'" + (name.map { " (\($0))" } ?? ""))
        }
        return entry
    }

    /// Replaces or adds an entry.
    func publish(_ entry: NetworkEntry) {
        state.withLock { state in
            state.entries[entry.uuid] = entry
            state.names[entry.name] = entry.uuid
        }
    }

    func remove(_ uuid: UUID) {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: uuid) else { return }
            state.names[entry.name] = nil
        }
    }

    /// Completes a new definition with a bridge of its own and takes it in, in one step: names, UUIDs and bridges of
    /// two networks never clash. Returns the definition and the entry that was there before.
    ///
    /// - Parameter assign: makes the new entry from the old one.
    func admit(
        _ network: Network, isLive: Bool, linkExists: (String) -> Bool,
        assign: (Network, NetworkEntry?) -> NetworkEntry
    ) throws(VirtError) -> (network: Network, previous: NetworkEntry?) {
        let result = state.withLock { state -> Result<(network: Network, previous: NetworkEntry?), VirtError> in
            do throws(VirtError) {
                var network = network
                try Self.assignBridge(&network, state, linkExists)
                let previous = try Self.checkDuplicate(network, state, isLive: isLive)
                state.entries[network.uuid] = assign(network, previous)
                state.names[network.name] = network.uuid
                return .success((network, previous))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// libvirt's limit of the numbers in bridge names.
    private static let largestBridgeNumber = 256

    private static func assignBridge(
        _ network: inout Network, _ state: State, _ linkExists: (String) -> Bool
    ) throws(VirtError) {
        guard network.isManaged else { return }
        let name = network.name
        let used = Set(
            state.entries.values.filter { $0.name != name }.flatMap { entry in
                [entry.persistent?.bridge.name, entry.status?.network.bridge.name].compactMap { $0 }
            })
        if let bridge = network.bridge.name, !bridge.contains("%d") {
            if used.contains(bridge) {
                throw VirtError(.internalError, .network, "bridge name '\(bridge)' already in use.")
            }
        } else {
            let pieces = (network.bridge.name ?? "virbr%d").split(separator: "%", omittingEmptySubsequences: false)
            let (head, tail) = pieces.count == 2 ? (pieces[0], pieces[1].dropFirst()) : ("virbr", "")
            let names = (0...largestBridgeNumber).lazy.map { "\(head)\($0)\(tail)" }
            guard let free = names.first(where: { !used.contains($0) && !linkExists($0) }) else {
                throw VirtError(
                    .internalError, .network, "Bridge generation exceeded max id \(largestBridgeNumber)")
            }
            network.bridge.name = free
        }
        if network.mac == nil { network.mac = .random() }
    }

    private static func checkDuplicate(
        _ network: Network, _ state: State, isLive: Bool
    ) throws(VirtError) -> NetworkEntry? {
        if let known = state.entries[network.uuid] {
            guard known.name == network.name else {
                throw VirtError(
                    .operationFailed, .network,
                    "network '\(known.name)' is already defined with uuid \(known.uuid)")
            }
            if isLive, known.isActive {
                throw VirtError(.operationInvalid, .network, "network is already active as '\(known.name)'")
            }
            return known
        }
        if let uuid = state.names[network.name] {
            throw VirtError(
                .operationFailed, .network, "network '\(network.name)' already exists with uuid \(uuid)")
        }
        return nil
    }
}
