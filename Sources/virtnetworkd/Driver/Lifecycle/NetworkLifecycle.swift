import VirtCore
import VirtDaemon
import VirtModel
import VirtXML

/// Starts and stops networks on a host. It holds no state; the caller has the network's job.
struct NetworkLifecycle: Sendable {
    let host: any NetworkHost
    let paths: NetworkPaths

    /// Starts a network and writes its state file. Whatever fails, all steps before it are undone.
    func start(_ network: Network) async throws -> NetworkStatus {
        var reverter = Reverter()
        do {
            return try await start(network, &reverter)
        } catch {
            await reverter.revert(on: host)
            throw error
        }
    }

    private func start(_ network: Network, _ reverter: inout Reverter) async throws -> NetworkStatus {
        var status = NetworkStatus(network: network)
        status.isTaintedByHook = await host.hasHook()
        try await callHook(network, "start", "begin")
        if network.isManaged {
            status.network = try await startManaged(network, &reverter)
        } else if network.forward?.mode == .bridge, let bridge = network.bridge.name {
            try await limitBandwidth(network, bridge, &reverter)
            try await manageMACTable(network, bridge)
        } else {
            status.network = try await fillPool(network)
        }
        try await callHook(status.network, "started", "begin")
        try await host.perform(writeStatus(status))
        if network.isManaged { await attempt(.removeFile(paths.unfinished(network.name))) }
        return status
    }

    /// Stops a running network; nothing keeps it from being stopped.
    func stop(_ network: Network) async {
        if network.isManaged, let mark = try? markUnfinished(network) { await attempt(mark) }
        await attempt(.removeFile(paths.status(network.name)))
        if network.isManaged {
            await stopManaged(network)
        } else if network.forward?.mode == .bridge, let bridge = network.bridge.name, network.bandwidth != nil {
            for command in TrafficControl.clear(bridge) { await attempt(.trafficControl(command)) }
        }
        do {
            try await callHook(network, "stopped", "end")
        } catch {
            networkLog.warning("hook of network '\(network.name)': \(error)")
        }
        if network.isManaged { await attempt(.removeFile(paths.unfinished(network.name))) }
    }

    /// Says that parts of a network may be there. A daemon that is killed meanwhile leaves it to the next one, which
    /// takes away what there is.
    func markUnfinished(_ network: Network) throws -> HostAction {
        let text = try NetworkStatus(network: network).format()
        return .writeFile(paths.unfinished(network.name), text: text, mode: 0o600)
    }

    /// The state file of a running network.
    func writeStatus(_ status: NetworkStatus) throws -> HostAction {
        let text =
            ObjectStore.header(command: "net-edit", name: status.network.name, uuid: status.network.uuid)
            + (try status.format())
        return .writeFile(paths.status(status.network.name), text: text, mode: 0o600)
    }

    /// Does a step whose failure changes nothing.
    func attempt(_ action: HostAction) async {
        do {
            try await host.perform(action)
        } catch {
            networkLog.warning("ignored: \(error)")
        }
    }

    func perform(_ actions: [HostAction]) async throws {
        for action in actions { try await host.perform(action) }
    }

    // MARK: Hooks

    func callHook(_ network: Network, _ operation: String, _ sub: String, port: NetworkPort? = nil) async throws {
        guard await host.hasHook() else { return }
        try await host.perform(.runHook(try hookCall(network, operation, sub, port: port)))
    }

    private func hookCall(
        _ network: Network, _ operation: String, _ sub: String, port: NetworkPort? = nil
    ) throws -> HookCall {
        let body = try network.format(depth: 1) + (port?.format(depth: 1) ?? "")
        return HookCall(
            network: network.name, operation: operation, subOperation: sub, input: "<hookData>\n\(body)</hookData>")
    }

    // MARK: Networks on devices of the host

    func limitBandwidth(_ network: Network, _ bridge: String, _ reverter: inout Reverter) async throws {
        guard let bandwidth = network.bandwidth else { return }
        reverter.add(TrafficControl.clear(bridge).map { .trafficControl($0) })
        try await perform(TrafficControl.set(bridge, bandwidth).map { .trafficControl($0) })
    }

    func manageMACTable(_ network: Network, _ bridge: String) async throws {
        guard network.bridge.macTableManager == .libvirt else { return }
        try await host.perform(.setVLANFiltering(bridge, true))
    }

    /// Takes the virtual functions of a device as the pool, where only the device is named.
    func fillPool(_ network: Network) async throws -> Network {
        guard var forward = network.forward, let device = forward.physicalFunction, forward.devices.isEmpty else {
            return network
        }
        let functions = try await host.virtualFunctions(of: device)
        forward.devices = functions.compactMap { function in
            if forward.mode == .hostdev { return Network.Device(.pci(function.address)) }
            return function.interface.map { Network.Device(.interface($0)) }
        }
        if forward.devices.isEmpty {
            throw VirtError(.internalError, .network, "No usable Vf's present on SRIOV PF \(device)")
        }
        var live = network
        live.forward = forward
        return live
    }
}
