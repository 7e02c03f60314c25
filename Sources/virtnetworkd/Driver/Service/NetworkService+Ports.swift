import NetworkLeases
import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

extension NetworkService {
    /// virNetworkPortCreateXML
    ///
    /// - Parameter isReclaimed: the guest has the connection already; the daemon only forgot about it.
    func createPort(
        _ uuid: UUID, _ name: String, _ xml: String, isReclaimed: Bool
    ) async throws -> NetworkPort {
        try await change(uuid, name, "port-create") { entry in
            var port = try NetworkPort.parse(xml.utf8)
            _ = try entry.requireActive()
            if isReclaimed, port.plug == .none {
                throw VirtError(.invalidArg, .network, "Port reclaim requested but plug type is none")
            }
            if !isReclaimed, port.plug != .none {
                throw VirtError(
                    .invalidArg, .network, "Port reclaim not requested but plug type is not none")
            }
            if entry.ports.contains(where: { $0.uuid == port.uuid }) {
                throw VirtError(
                    .networkPortExist, .network, "Network port with UUID \(port.uuid) already exists")
            }
            let status = try await isReclaimed ? reclaim(port, entry) : allocate(&port, entry)
            try await lifecycle.callHook(status.network, "port-created", "begin", port: port)
            try await save(port, of: entry.name)
            let added = port
            registry.publish(
                entry.changed {
                    $0.status = status
                    $0.ports.append(added)
                })
            return port
        }
    }

    private func save(_ port: NetworkPort, of network: String) async throws {
        let text =
            ObjectStore.header(command: "net-port-create", name: port.uuid.description, uuid: port.uuid)
            + (try port.format())
        try await host.perform(.writeFile("\(paths.ports(network))/\(port.uuid).xml", text: text, mode: 0o600))
    }

    /// Connects a new interface: takes a device of the pool, a traffic class, and notes the MAC.
    private func allocate(_ port: inout NetworkPort, _ entry: NetworkEntry) async throws -> NetworkStatus {
        var status = try entry.requireActive()
        status.network = try await lifecycle.fillPool(status.network)
        try PortAllocation.complete(&port, in: status.network)
        let device = try PortAllocation.plug(&port, into: status.network)
        try await plugBandwidth(&port, &status)
        do {
            try await changeMACMap(status.network) { $0.add(port.mac.description, domain: port.ownerName) }
            try port.virtualPort?.complete()
        } catch {
            try? await unplugBandwidth(port, &status)
            throw error
        }
        status.network.connect(device)
        return status
    }

    private func reclaim(_ port: NetworkPort, _ entry: NetworkEntry) async throws -> NetworkStatus {
        var status = try entry.requireActive()
        status.network = try await lifecycle.fillPool(status.network)
        status.network.connect(try PortAllocation.findDevice(port, in: status.network))
        return status
    }

    /// virNetworkPortDelete
    func deletePort(_ network: UUID, _ name: String, _ uuid: UUID) async throws {
        try await change(network, name, "port-delete") { entry in
            let port = try entry.port(uuid)
            var status = try entry.requireActive()
            let device = try PortAllocation.deviceInUse(port, in: status.network)
            try await unplugBandwidth(port, &status)
            try await changeMACMap(status.network) { $0.remove(port.mac.description, domain: port.ownerName) }
            status.network.disconnect(device)
            do {
                try await lifecycle.callHook(status.network, "port-deleted", "begin", port: port)
            } catch {
                networkLog.warning("hook of network '\(entry.name)': \(error)")
            }
            await lifecycle.attempt(.removeFile("\(paths.ports(entry.name))/\(uuid).xml"))
            let left = status
            registry.publish(
                entry.changed {
                    $0.status = left
                    $0.ports.removeAll { $0.uuid == uuid }
                })
        }
    }

    private func changeMACMap(_ network: Network, _ body: (inout MACMap) -> Void) async throws {
        guard network.isManaged, let bridge = network.bridge.name else { return }
        let path = paths.macMap(bridge)
        var map: MACMap
        do {
            map = try MACMap(try await host.readFile(path) ?? [])
        } catch {
            throw VirtError(.internalError, .network, "invalid json in file: \(path)")
        }
        body(&map)
        try await host.perform(.writeFile(path, text: map.text, mode: 0o644))
    }

    // MARK: Guaranteed rates

    private func plugBandwidth(_ port: inout NetworkPort, _ status: inout NetworkStatus) async throws {
        guard let rate = try PortAllocation.checkBandwidth(port.bandwidth, replacing: nil, port.mac, status) else {
            return
        }
        guard let bridge = status.network.bridge.name, let limit = status.network.bandwidth?.inbound,
            let own = port.bandwidth?.inbound
        else { return }
        guard let id = status.nextClassID else {
            throw VirtError(.internalError, .network, "Could not generate next class ID")
        }
        let commands = TrafficControl.plug(bridge, limit, own, mac: port.mac, classID: id)
        do {
            try await lifecycle.perform(commands.map { .trafficControl($0) })
        } catch {
            for command in TrafficControl.unplug(bridge, classID: id) {
                await lifecycle.attempt(.trafficControl(command))
            }
            throw error
        }
        port.classID = id
        status.classIDs.insert(id)
        status.floorSum = status.floorSum.addingReportingOverflow(own.floor).partialValue
        try await host.perform(try lifecycle.writeStatus(status))
        await changeSharedRate(bridge, limit, rate, status)
    }

    private func unplugBandwidth(_ port: NetworkPort, _ status: inout NetworkStatus) async throws {
        guard port.classID > 2, status.classIDs.contains(port.classID), let bridge = status.network.bridge.name,
            let limit = status.network.bandwidth?.inbound
        else { return }
        for command in TrafficControl.unplug(bridge, classID: port.classID) {
            await lifecycle.attempt(.trafficControl(command))
        }
        let floor = port.bandwidth?.inbound?.floor ?? 0
        status.floorSum -= min(floor, status.floorSum)
        status.classIDs.remove(port.classID)
        try await host.perform(try lifecycle.writeStatus(status))
        await changeSharedRate(bridge, limit, limit.peak > 0 ? limit.peak : limit.average, status)
    }

    /// What is left over for guests without a guarantee.
    private func changeSharedRate(
        _ bridge: String, _ limit: Bandwidth.Rate, _ rate: UInt64, _ status: NetworkStatus
    ) async {
        let left = rate - min(rate, status.floorSum)
        await lifecycle.attempt(
            .trafficControl(TrafficControl.changeRate(bridge, limit, classID: 2, rate: left)))
    }

    /// virNetworkPortSetParameters
    func setParameters(
        _ network: UUID, _ name: String, _ uuid: UUID, _ bandwidth: Bandwidth
    ) async throws {
        try await change(network, name, "port-set-parameters") { entry in
            var port = try entry.port(uuid)
            var status = try entry.requireActive()
            let (old, new) = (port.bandwidth?.inbound?.floor ?? 0, bandwidth.inbound?.floor ?? 0)
            if old != new {
                _ = try PortAllocation.checkBandwidth(bandwidth, replacing: port.bandwidth, port.mac, status)
                try await unplugBandwidth(port, &status)
                port.classID = 0
                port.bandwidth = bandwidth
                if new > 0 { try await plugBandwidth(&port, &status) }
            }
            port.bandwidth = bandwidth
            try await save(port, of: entry.name)
            let (changed, left) = (port, status)
            registry.publish(
                entry.changed { entry in
                    entry.status = left
                    entry.ports = entry.ports.map { $0.uuid == uuid ? changed : $0 }
                })
        }
    }
}
