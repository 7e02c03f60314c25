import NetworkLeases
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire
import VirtXML

/// The procedures NETWORK_*: between the wire's structures and the service.
struct NetworkHandlers: Sendable {
    let service: NetworkService

    init(_ service: NetworkService) { self.service = service }

    func install(into table: inout HandlerTable) {
        installLists(into: &table)
        installLookups(into: &table)
        installDefinitions(into: &table)
        installStates(into: &table)
        installLeases(into: &table)
        installPorts(into: &table)
        installEvents(into: &table)
    }

    static func wire(_ network: Network) -> RemoteNonnullNetwork {
        RemoteNonnullNetwork(name: network.name, uuid: network.uuid)
    }

    static func wire(_ entry: NetworkEntry) -> RemoteNonnullNetwork {
        RemoteNonnullNetwork(name: entry.name, uuid: entry.uuid)
    }

    func entry(_ network: RemoteNonnullNetwork) throws(VirtError) -> NetworkEntry {
        try service.registry.find(network.uuid, name: network.name)
    }

    /// Refuses flags that a function does not know, as libvirt does.
    static func check(_ flags: UInt32, allowed: UInt32, _ function: String) throws(VirtError) {
        let extra = flags & ~allowed
        guard extra != 0 else { return }
        throw VirtError(
            code: .invalidArg, domain: .network,
            verbatim: "unsupported flags (0x\(String(extra, radix: 16))) in function \(function)")
    }

    /// Checks a document as clients ask for; the schema has its root's name.
    static func validate(_ xml: String, _ root: String) async throws {
        try await BlockingPool.shared.run {
            try XMLSchema.check(xml, root, root: root, name: "\(root)_definition", domain: .network)
        }
    }

    // MARK: Lists

    private func installLists(into table: inout HandlerTable) {
        let registry = service.registry
        table.on(RemoteProgram.ConnectNumOfNetworks.self) { _, _ in
            RemoteConnectNumOfNetworksRet(num: Int32(clamping: registry.all.count { $0.isActive }))
        }
        table.on(RemoteProgram.ConnectNumOfDefinedNetworks.self) { _, _ in
            RemoteConnectNumOfDefinedNetworksRet(num: Int32(clamping: registry.all.count { !$0.isActive }))
        }
        table.on(RemoteProgram.ConnectListNetworks.self) { arguments, _ in
            let names = registry.all.filter { $0.isActive }.map { $0.name }
            return RemoteConnectListNetworksRet(names: try Self.limit(names, arguments.maxnames))
        }
        table.on(RemoteProgram.ConnectListDefinedNetworks.self) { arguments, _ in
            let names = registry.all.filter { !$0.isActive }.map { $0.name }
            return RemoteConnectListDefinedNetworksRet(names: try Self.limit(names, arguments.maxnames))
        }
        table.on(RemoteProgram.ConnectListAllNetworks.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 0x3F, "networkConnectListAllNetworks")
            let found = registry.all.filter { Self.selects(arguments.flags, $0) }
            return RemoteConnectListAllNetworksRet(
                nets: arguments.needResults != 0 ? found.map { Self.wire($0) } : [], ret: UInt32(found.count))
        }
    }

    private static func limit(_ names: [String], _ most: Int32) throws(VirtError) -> [String] {
        guard most >= 0, most <= 16384 else {
            throw VirtError(.rpc, .rpc, "too many networks '\(most)' for limit '16384'")
        }
        return Array(names.prefix(Int(most)))
    }

    /// The filter of virConnectListAllNetworks: of each pair of bits, none or both mean all.
    private static func selects(_ flags: UInt32, _ entry: NetworkEntry) -> Bool {
        func wants(_ no: UInt32, _ yes: UInt32, _ value: Bool) -> Bool {
            flags & (no | yes) == 0 || flags & (value ? yes : no) != 0
        }
        return wants(1, 2, entry.isActive) && wants(8, 4, entry.isPersistent) && wants(32, 16, entry.isAutostarted)
    }

    // MARK: Look-ups

    private func installLookups(into table: inout HandlerTable) {
        let registry = service.registry
        table.on(RemoteProgram.NetworkLookupByName.self) { arguments, _ in
            RemoteNetworkLookupByNameRet(net: Self.wire(try registry.find(arguments.name)))
        }
        table.on(RemoteProgram.NetworkLookupByUuid.self) { arguments, _ in
            RemoteNetworkLookupByUuidRet(net: Self.wire(try registry.find(arguments.uuid)))
        }
        table.on(RemoteProgram.NetworkGetXmlDesc.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 1, "networkGetXMLDesc")
            let xml = try entry(arguments.net).xml(inactive: arguments.flags & 1 != 0)
            return RemoteNetworkGetXmlDescRet(xml: xml)
        }
        table.on(RemoteProgram.NetworkGetBridgeName.self) { arguments, _ in
            let network = try entry(arguments.net).current
            guard let bridge = network.bridge.name else {
                throw VirtError(
                    .internalError, .network, "network '\(network.name)' does not have a bridge name.")
            }
            return RemoteNetworkGetBridgeNameRet(name: bridge)
        }
        table.on(RemoteProgram.NetworkGetAutostart.self) { arguments, _ in
            RemoteNetworkGetAutostartRet(autostart: try entry(arguments.net).isAutostarted ? 1 : 0)
        }
        table.on(RemoteProgram.NetworkIsActive.self) { arguments, _ in
            RemoteNetworkIsActiveRet(active: try entry(arguments.net).isActive ? 1 : 0)
        }
        table.on(RemoteProgram.NetworkIsPersistent.self) { arguments, _ in
            RemoteNetworkIsPersistentRet(persistent: try entry(arguments.net).isPersistent ? 1 : 0)
        }
    }

    // MARK: Definitions

    private func installDefinitions(into table: inout HandlerTable) {
        let service = service
        table.onAsync(RemoteProgram.NetworkDefineXml.self) { arguments, _ in
            RemoteNetworkDefineXmlRet(net: Self.wire(try await service.define(arguments.xml)))
        }
        table.onAsync(RemoteProgram.NetworkDefineXmlFlags.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 1, "networkDefineXMLFlags")
            if arguments.flags & 1 != 0 { try await Self.validate(arguments.xml, "network") }
            return RemoteNetworkDefineXmlFlagsRet(net: Self.wire(try await service.define(arguments.xml)))
        }
        table.onAsync(RemoteProgram.NetworkCreateXml.self) { arguments, _ in
            RemoteNetworkCreateXmlRet(net: Self.wire(try await service.create(arguments.xml)))
        }
        table.onAsync(RemoteProgram.NetworkCreateXmlFlags.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 1, "networkCreateXMLFlags")
            if arguments.flags & 1 != 0 { try await Self.validate(arguments.xml, "network") }
            return RemoteNetworkCreateXmlFlagsRet(net: Self.wire(try await service.create(arguments.xml)))
        }
        table.onAsync(RemoteProgram.NetworkUndefine.self) { arguments, _ in
            try await service.undefine(arguments.net.uuid, arguments.net.name)
            return XDRVoid()
        }
        table.onAsync(RemoteProgram.NetworkUpdate.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 3, "networkUpdate")
            let update = Network.Update(
                command: arguments.command, section: arguments.section, parentIndex: arguments.parentIndex,
                xml: arguments.xml)
            try await service.update(arguments.net.uuid, arguments.net.name, update, flags: arguments.flags)
            return XDRVoid()
        }
    }

    private func installStates(into table: inout HandlerTable) {
        let service = service
        table.onAsync(RemoteProgram.NetworkCreate.self) { arguments, _ in
            try await service.start(arguments.net.uuid, arguments.net.name)
            return XDRVoid()
        }
        table.onAsync(RemoteProgram.NetworkDestroy.self) { arguments, _ in
            try await service.destroy(arguments.net.uuid, arguments.net.name)
            return XDRVoid()
        }
        table.onAsync(RemoteProgram.NetworkSetAutostart.self) { arguments, _ in
            try await service.setAutostart(
                arguments.net.uuid, arguments.net.name, arguments.autostart != 0)
            return XDRVoid()
        }
    }

    private func installLeases(into table: inout HandlerTable) {
        let service = service
        table.onAsync(RemoteProgram.NetworkGetDhcpLeases.self) { arguments, _ in
            try Self.check(arguments.flags, allowed: 0, "networkGetDHCPLeases")
            let found = try await service.leases(arguments.net.uuid, arguments.net.name, mac: arguments.mac)
            if found.count > 65536 {
                throw VirtError(
                    .internalError, .rpc, "Number of leases is \(found.count), which exceeds max limit: 65536")
            }
            return RemoteNetworkGetDhcpLeasesRet(
                leases: arguments.needResults != 0 ? found.map { Self.wire($0) } : [], ret: UInt32(found.count))
        }
    }

    private static func wire(_ lease: NetworkService.ReportedLease) -> RemoteNetworkDhcpLease {
        RemoteNetworkDhcpLease(
            iface: lease.interface, expirytime: lease.lease.expiryTime, type: lease.lease.isIPv6 ? 1 : 0,
            mac: lease.lease.macAddress, iaid: lease.lease.iaid, ipaddr: lease.lease.ipAddress,
            prefix: lease.prefix, hostname: lease.lease.hostname, clientid: lease.lease.clientID)
    }
}
