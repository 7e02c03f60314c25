import VirtCore
import VirtModel
import VirtRPC
import VirtWire

/// A guest's addresses and name, as the networks' leases or the host's neighbours know them.
enum AddressHandlers {
    /// virDomainInterfaceAddressesSource.
    private enum Source: UInt32 { case lease = 0, agent, arp }
    /// VIR_DOMAIN_GET_HOSTNAME_LEASE.
    private static let fromLease: UInt32 = 1

    static func install(into table: inout HandlerTable, driver: QEMUDriver) {
        let registry = driver.registry
        table.onAsync(RemoteProgram.DomainInterfaceAddresses.self) { arguments, caller in
            try arguments.flags.checkFlags(0, "qemuDomainInterfaceAddresses")
            let snapshot = try registry.snapshot(arguments.dom)
            let (live, _) = try snapshot.running()
            switch Source(rawValue: arguments.source) {
            case .lease?: return .init(ifaces: try await leased(live, driver, caller.client))
            case .arp?: return .init(ifaces: neighbours(live))
            case .agent?: throw AgentRules.refusal(snapshot)
            case nil:
                throw VirtError(.argumentUnsupported, .qemu, "Unknown IP address data source \(arguments.source)")
            }
        }
        table.onAsync(RemoteProgram.DomainGetHostname.self) { arguments, caller in
            try arguments.flags.checkFlags(3, "qemuDomainGetHostname")
            let snapshot = try registry.snapshot(arguments.dom)
            let (live, _) = try snapshot.running()
            guard arguments.flags & fromLease != 0 else { throw AgentRules.refusal(snapshot) }
            let names = try await leases(live, driver, caller.client).flatMap { $0.leases.compactMap(\.hostname) }
            guard let name = names.first else {
                throw VirtError(.noHostname, .qemu, "no hostname found for domain \(live.name)")
            }
            return .init(hostname: name)
        }
    }

    private static func leases(
        _ domain: Domain, _ driver: QEMUDriver, _ client: ClientHandle
    ) async throws -> [(interface: Interface, leases: [RemoteNetworkDhcpLease])] {
        let interfaces = domain.devices.interfaces.filter { $0.type == .network && $0.source.network != nil }
        guard !interfaces.isEmpty else { return [] }
        let daemon = try await PeerDaemon.connect("network", driver, loop: client.loop)
        defer { daemon.close() }
        var result: [(interface: Interface, leases: [RemoteNetworkDhcpLease])] = []
        for interface in interfaces {
            guard let name = interface.source.network else { continue }
            let network = try await daemon.client.call(RemoteProgram.NetworkLookupByName.self, .init(name: name)).net
            let found = try await daemon.client.call(
                RemoteProgram.NetworkGetDhcpLeases.self,
                .init(net: network, mac: interface.mac?.description, needResults: 1, flags: 0))
            result.append((interface, found.leases))
        }
        return result
    }

    private static func leased(
        _ domain: Domain, _ driver: QEMUDriver, _ client: ClientHandle
    ) async throws -> [RemoteDomainInterface] {
        try await leases(domain, driver, client).compactMap { interface, leases in
            guard !leases.isEmpty, let name = interface.targetDevice else { return nil }
            let addresses = leases.map { RemoteDomainIpAddr(type: $0.type, addr: $0.ipaddr, prefix: $0.prefix) }
            return RemoteDomainInterface(name: name, hwaddr: interface.mac?.description, addrs: addresses)
        }
    }

    private static func neighbours(_ domain: Domain) -> [RemoteDomainInterface] {
        let table = neighbours(ProcFile.text("/proc/net/arp") ?? "")
        return domain.devices.interfaces.compactMap { interface in
            guard let mac = interface.mac?.description, let addresses = table[mac], let name = interface.targetDevice
            else { return nil }
            let list = addresses.map { RemoteDomainIpAddr(type: 0, addr: $0, prefix: 0) }
            return RemoteDomainInterface(name: name, hwaddr: mac, addrs: list)
        }
    }

    /// The complete entries of the kernel's table, by hardware address.
    static func neighbours(_ text: String) -> [String: [String]] {
        var table: [String: [String]] = [:]
        for line in text.split(separator: "\n").dropFirst() {
            let fields = line.split(separator: " ")
            guard fields.count >= 4, fields[2] != "0x0" else { continue }
            table[fields[3].lowercased(), default: []].append(String(fields[0]))
        }
        return table
    }
}
