import VirtCore
import VirtModel

extension NetworkService {
    /// What a change applies to (VIR_NETWORK_UPDATE_AFFECT_*).
    private struct Scope: OptionSet {
        let rawValue: UInt32
        static let live = Scope(rawValue: 1)
        static let config = Scope(rawValue: 2)
    }

    /// virNetworkUpdate
    func update(_ uuid: UUID, _ name: String, _ update: Network.Update, flags: UInt32) async throws {
        try await change(uuid, name, "update") { entry in
            let scope = try scope(entry, flags)
            let persistent = scope.contains(.config) ? try entry.persistent?.updated(update) : nil
            let live = scope.contains(.live) ? try entry.status?.network.updated(update) : nil
            if let status = entry.status, let live { try await apply(update, status.network, live) }
            if let persistent {
                try await save(persistent)
                registry.publish(try registry.find(uuid).changed { $0.persistent = persistent })
            }
            if var status = entry.status, let live {
                status.network = live
                try await publish(try registry.find(uuid), status: status)
            }
            try await lifecycle.callHook(live ?? entry.current, "updated", "begin")
        }
    }

    private func scope(_ entry: NetworkEntry, _ flags: UInt32) throws(VirtError) -> Scope {
        var scope = Scope(rawValue: flags)
        if scope.isEmpty { scope = entry.isActive ? .live : .config }
        if scope.contains(.live), !entry.isActive {
            throw VirtError(.operationInvalid, .network, "network is not running")
        }
        if scope.contains(.config), !entry.isPersistent {
            throw VirtError(
                .operationInvalid, .network, "cannot change persistent config of a transient network")
        }
        return scope
    }

    /// Brings what runs for a network in line with its new definition.
    private func apply(_ update: Network.Update, _ old: Network, _ new: Network) async throws {
        guard new.isManaged else { return }
        let (rules, wanted) = (try FirewallRules.rules(for: old), try FirewallRules.rules(for: new))
        if rules != wanted {
            await lifecycle.attempt(.removeRules(rules))
            try await host.perform(.addRules(wanted))
        }
        switch Network.UpdateSection(rawValue: update.section) {
        case .ipDHCPRange, .dnsText, .dnsService, .bridge, .domain, .ip:
            try await lifecycle.restartDnsmasq(new)
        case .ipDHCPHost:
            let hadDHCP = old.addresses.contains { $0.hasDHCP }
            let hasDHCP = new.addresses.contains { $0.hasDHCP }
            if hadDHCP == hasDHCP {
                try await lifecycle.refreshDnsmasq(new)
            } else {
                try await lifecycle.restartDnsmasq(new)
            }
        case .dnsHost: try await lifecycle.refreshDnsmasq(new)
        case .forward, .forwardInterface, .forwardPF, .portGroup, .none?, nil: break
        }
    }
}
