import VirtCore
import VirtModel

// Networks whose bridge libvirt makes: nat, route, open, isolated.
extension NetworkLifecycle {
    /// Makes the bridge and all that belongs to it; returns the definition with what was decided on the way.
    func startManaged(_ network: Network, _ reverter: inout Reverter) async throws -> Network {
        try await host.routes().check(network)
        guard let bridge = network.bridge.name else {
            throw VirtError(.internalError, .network, "network '\(network.name)' has no bridge name defined")
        }
        if let zone = network.bridge.zone, network.hasFirewall {
            throw VirtError(
                .internalError, .network,
                "zone \(zone) requested for network \(network.name) but firewalld is not active")
        }
        try await host.perform(markUnfinished(network))
        reverter.add(.removeFile(paths.unfinished(network.name)))
        try await host.perform(.createBridge(bridge, network.mac))
        reverter.add(.deleteLink(bridge))
        try await perform(bridgeSettings(network, bridge))
        let rules = try FirewallRules.rules(for: network)
        if !rules.isEmpty {
            try await host.perform(.addRules(rules))
            reverter.add(.removeRules(rules))
        }
        try await perform(try addresses(network, bridge))
        try await manageMACTable(network, bridge)
        try await host.perform(.setOnline(bridge, true))
        reverter.add(.setOnline(bridge, false))
        // A route that the kernel refuses does not keep guests from using the network.
        for route in network.routes { await attempt(.addRoute(bridge, route)) }
        if network.forward != nil {
            if network.has(.ipv6) { try await host.perform(.checkIPv6Forwarding) }
            try await host.perform(.enableForwarding(ipv4: network.has(.ipv4), ipv6: network.has(.ipv6)))
        }
        try await startDnsmasq(network, bridge, &reverter)
        try await limitBandwidth(network, bridge, &reverter)
        return network.withDecidedPorts(rules)
    }

    private func bridgeSettings(_ network: Network, _ bridge: String) -> [HostAction] {
        var actions: [HostAction] = network.mtu.map { [.setMTU(bridge, $0)] } ?? []
        // The delay comes first: with the spanning tree on, the kernel takes none below two seconds.
        actions.append(.setForwardDelay(bridge, seconds: network.bridge.delay ?? 0))
        actions.append(.setSpanningTree(bridge, network.bridge.usesSTP))
        actions.append(.configureIPv6(bridge, isEnabled: network.has(.ipv6)))
        return actions
    }

    private func addresses(_ network: Network, _ bridge: String) throws -> [HostAction] {
        try network.addresses.map { ip in
            guard let prefix = ip.prefix else {
                throw VirtError(
                    .internalError, .network, "bridge '\(bridge)' has an invalid netmask or IP address")
            }
            return .addAddress(bridge, ip.address, prefix: prefix)
        }
    }

    private func startDnsmasq(_ network: Network, _ bridge: String, _ reverter: inout Reverter) async throws {
        guard try await startDnsmasq(network, bridge) else { return }
        guard let process = await host.dnsmasq(paths.dnsmasqFiles(network.name)) else { return }
        reverter.add(.endDnsmasq(process))
    }

    /// Writes dnsmasq's files and starts it. False: the network needs none.
    @discardableResult
    func startDnsmasq(_ network: Network, _ bridge: String) async throws -> Bool {
        let files = paths.dnsmasqFiles(network.name)
        guard let configuration = try DnsmasqConfiguration(network, files) else { return false }
        try await perform([
            .makeDirectory(paths.processes),
            .writeFile(files.configuration, text: configuration.configuration, mode: 0o600),
        ])
        try await writeHosts(network)
        try await host.perform(.startDnsmasq(configuration: files.configuration, bridge: bridge))
        return true
    }

    func writeHosts(_ network: Network) async throws {
        let files = paths.dnsmasqFiles(network.name)
        try await perform([
            .writeFile(files.hosts, text: DnsmasqConfiguration.hosts(network), mode: 0o644),
            .writeFile(files.additionalHosts, text: DnsmasqConfiguration.additionalHosts(network), mode: 0o644),
        ])
    }

    func stopManaged(_ network: Network) async {
        guard let bridge = network.bridge.name else { return }
        if network.bandwidth != nil {
            for command in TrafficControl.clear(bridge) { await attempt(.trafficControl(command)) }
        }
        let process = await host.dnsmasq(paths.dnsmasqFiles(network.name))
        if let process { await attempt(.endDnsmasq(process)) }
        await attempt(.setOnline(bridge, false))
        if let rules = try? FirewallRules.rules(for: network), !rules.isEmpty { await attempt(.removeRules(rules)) }
        await attempt(.deleteLink(bridge))
        guard let process else { return }
        await attempt(.awaitEndOfDnsmasq(process))
        // dnsmasq, which is nobody by then, can't remove it.
        await attempt(.removeFile(paths.dnsmasqFiles(network.name).processID))
    }

    // MARK: Running networks

    /// Puts the rules of a running network into the kernel again, at the right places.
    func refreshFirewall(_ network: Network) async {
        guard let rules = try? FirewallRules.rules(for: network), !rules.isEmpty else { return }
        await attempt(.removeRules(rules))
        await attempt(.addRules(rules))
    }

    /// Has dnsmasq read the hosts files again; starts it if it is gone.
    func refreshDnsmasq(_ network: Network) async throws {
        guard network.isManaged, let bridge = network.bridge.name, !network.addresses.isEmpty else { return }
        guard let process = await host.dnsmasq(paths.dnsmasqFiles(network.name)) else {
            try await startDnsmasq(network, bridge)
            return
        }
        try await writeHosts(network)
        try await host.perform(.reloadDnsmasq(process))
    }

    /// For changes that dnsmasq reads only when it starts.
    func restartDnsmasq(_ network: Network) async throws {
        guard network.isManaged, let bridge = network.bridge.name else { return }
        if let process = await host.dnsmasq(paths.dnsmasqFiles(network.name)) {
            try await host.perform(.awaitEndOfDnsmasq(process))
        }
        try await startDnsmasq(network, bridge)
    }

    /// Removes the files that a network leaves behind, once nothing is left of it.
    func removeFiles(_ network: Network) async {
        let files = paths.dnsmasqFiles(network.name)
        var all = [files.configuration, files.hosts, files.additionalHosts, paths.status(network.name)]
        if let bridge = network.bridge.name { all += [paths.leases(bridge), paths.macMap(bridge)] }
        for path in all { await attempt(.removeFile(path)) }
    }
}

extension Network {
    /// A network that translates shows the ports it does so with.
    fileprivate func withDecidedPorts(_ rules: [FirewallRule]) -> Network {
        guard let forward, forward.mode == .nat, forward.nat?.ports == nil,
            rules.contains(where: { $0.table == .nat })
        else { return self }
        var live = self
        var nat = forward.nat ?? NAT()
        nat.ports = FirewallRules.standardPorts
        live.forward?.nat = nat
        return live
    }
}
