import VirtCore
import VirtDaemon
import VirtModel
import VirtOS

extension NetworkService {
    private var definitions: ObjectStore {
        ObjectStore(directory: paths.configuration, autostartDirectory: paths.autostart)
    }

    /// Takes in the state of networks that run, whoever started them, and all definitions.
    func load() async throws {
        try await finish()
        let states = ObjectStore(directory: paths.state)
        for stored in try await BlockingPool.shared.run({ try states.load() }).objects { await loadState(stored) }
        try await loadDefinitions()
    }

    /// Takes away what a daemon left that was killed while it started or stopped a network.
    private func finish() async throws {
        let names = try await BlockingPool.shared.run { [paths] in try FileSystem.names(in: paths.state) }
        for file in names where file.hasSuffix(NetworkPaths.unfinishedSuffix) {
            let name = String(file.dropLast(NetworkPaths.unfinishedSuffix.count))
            do {
                // With a state file the start was complete, or the stop had not begun.
                if try await host.readFile(paths.status(name)) == nil,
                    let bytes = try await host.readFile(paths.unfinished(name))
                {
                    let status = try NetworkStatus.parse(bytes)
                    networkLog.warning("network '\(name)' was left half started or stopped; it is stopped now")
                    await lifecycle.stop(status.network)
                }
            } catch {
                networkLog.error("cannot clean up network '\(name)': \(error)")
            }
            await lifecycle.attempt(.removeFile(paths.unfinished(name)))
        }
    }

    private func loadState(_ stored: ObjectStore.Stored) async {
        do {
            var status = try NetworkStatus.parse(stored.bytes)
            let network = status.network
            try checkName(stored.name, network, paths.status(stored.name))
            guard isRunning(network) else {
                await lifecycle.attempt(.removeFile(paths.status(stored.name)))
                return
            }
            let ports = try await loadPorts(network)
            // What is counted is counted anew: the ports are the truth.
            status.network = (try? await lifecycle.fillPool(network)) ?? network
            status.network.connections = 0
            for port in ports {
                status.network.connect((try? PortAllocation.findDevice(port, in: status.network)) ?? nil)
            }
            var entry = NetworkEntry(status: status)
            entry.ports = ports
            registry.publish(entry)
        } catch {
            networkLog.error("cannot load the state of network '\(stored.name)': \(error)")
        }
    }

    private func checkName(_ name: String, _ network: Network, _ path: String) throws(VirtError) {
        guard name == network.name else {
            throw VirtError(
                .internalError, .network,
                "Network config filename '\(path)' does not match network name '\(network.name)'")
        }
    }

    /// Whether the bridge of a network is still there.
    private func isRunning(_ network: Network) -> Bool {
        guard network.isManaged || network.forward?.mode == .bridge && network.bridge.name != nil else { return true }
        return network.bridge.name.map { host.linkExists($0) } ?? false
    }

    private func loadPorts(_ network: Network) async throws -> [NetworkPort] {
        let store = ObjectStore(directory: paths.ports(network.name))
        return try await BlockingPool.shared.run { try store.load() }.objects.compactMap { stored in
            do {
                return try NetworkPort.parse(stored.bytes)
            } catch {
                networkLog.error("cannot load port '\(stored.name)' of network '\(network.name)': \(error)")
                return nil
            }
        }
    }

    /// Reads all definitions; those that are known get what the files say.
    private func loadDefinitions() async throws {
        let store = definitions
        for stored in try await BlockingPool.shared.run({ try store.load() }).objects {
            do {
                try await loadDefinition(stored)
            } catch {
                networkLog.error("cannot load network '\(stored.name)': \(error)")
            }
        }
    }

    private func loadDefinition(_ stored: ObjectStore.Stored) async throws {
        var network = try Network.parse(stored.bytes)
        try checkName(stored.name, network, paths.configuration(stored.name))
        var mustSave = !network.hasGivenUUID
        if network.isManaged {
            mustSave = mustSave || network.mac == nil
            if network.mac == nil { network.mac = .random() }
        } else {
            network.mac = nil
        }
        let definition = network
        try await jobs.run(network.name, "load") {
            if mustSave { try await save(definition) }
            let known = try? registry.find(definition.name)
            if let known, known.uuid != definition.uuid {
                throw VirtError(
                    .operationFailed, .network,
                    "network '\(known.name)' already exists with uuid \(known.uuid)")
            }
            registry.publish(
                (known ?? NetworkEntry()).changed {
                    $0.persistent = definition
                    $0.isAutostarted = stored.isAutostart
                })
        }
    }

    // MARK: After a restart

    /// Puts rules and dnsmasq of all running networks in order again.
    func refresh() async {
        await lifecycle.attempt(.checkChains)
        for entry in registry.all where entry.status?.network.isManaged == true {
            do {
                try await change(entry.uuid, entry.name, "refresh") { entry in
                    guard let network = entry.status?.network else { return }
                    await lifecycle.refreshFirewall(network)
                    try await lifecycle.refreshDnsmasq(network)
                }
            } catch {
                networkLog.error("cannot refresh network '\(entry.name)': \(error)")
            }
        }
    }

    /// Starts what is to be started with the host.
    func autostart() async {
        for entry in registry.all where entry.isAutostarted && !entry.isActive {
            do {
                try await start(entry.uuid, entry.name)
            } catch {
                networkLog.error("cannot autostart network '\(entry.name)': \(error)")
            }
        }
    }

    /// Whether networks are to be started: once after the host's start. The mark says that it was done.
    func claimAutostart() async throws -> Bool {
        let mark = paths.state + "/autostarted"
        return try await BlockingPool.shared.run {
            if FileSystem.exists(mark) { return false }
            try FileSystem.atomicWrite(mark, [], mode: 0o600)
            return true
        }
    }

    /// SIGHUP
    func reload() async {
        do {
            try await loadDefinitions()
        } catch {
            networkLog.error("cannot read definitions: \(error)")
        }
        await refresh()
        await autostart()
    }
}
