import VirtCore
import VirtDaemon
import VirtModel
import VirtOS
import VirtRPC
import VirtXML

/// The driver: definitions, running networks, ports. Reads look at the registry; changes run under a network's job.
final class NetworkService: Sendable {
    let registry = NetworkRegistry()
    let jobs: JobTable
    let lifecycle: NetworkLifecycle
    let events = EventHub<NetworkEvent>()
    let paths: NetworkPaths

    init(host: any NetworkHost, paths: NetworkPaths, loop: EventLoop) {
        self.paths = paths
        lifecycle = NetworkLifecycle(host: host, paths: paths)
        jobs = JobTable(loop: loop)
    }

    var host: any NetworkHost { lifecycle.host }

    /// Runs a change of a network that exists, under its job; the entry is looked up when the job is there.
    func change<Result>(
        _ uuid: UUID, _ name: String, _ job: String, _ body: (NetworkEntry) async throws -> Result
    ) async throws -> Result {
        let known = try registry.find(uuid, name: name)
        return try await jobs.run(known.name, job) { try await body(try registry.find(uuid, name: name)) }
    }

    func announce(_ entry: Network, _ kind: NetworkEvent.Kind) {
        events.publish(NetworkEvent(name: entry.name, uuid: entry.uuid, kind: kind))
    }

    // MARK: Definitions

    /// virNetworkDefineXML
    func define(_ xml: String) async throws -> Network {
        let network = try parse(xml)
        return try await jobs.run(network.name, "define") {
            let (admitted, previous) = try registry.admit(network, isLive: false, linkExists: host.linkExists) {
                Self.persistent($0, over: $1)
            }
            do {
                try await save(admitted)
            } catch {
                restore(previous, admitted.uuid)
                throw error
            }
            announce(admitted, .defined)
            return admitted
        }
    }

    private static func persistent(_ network: Network, over previous: NetworkEntry?) -> NetworkEntry {
        guard let previous else { return NetworkEntry(persistent: network) }
        return previous.changed { $0.persistent = network }
    }

    private func parse(_ xml: String) throws -> Network {
        let network = try Network.parse(xml.utf8)
        try network.validateSupport(isVirtualFunction: host.isVirtualFunction)
        return network
    }

    /// Puts back what was there before a change that failed.
    private func restore(_ previous: NetworkEntry?, _ uuid: UUID) {
        if let previous { registry.publish(previous) } else { registry.remove(uuid) }
    }

    func save(_ network: Network) async throws {
        let text =
            ObjectStore.header(command: "net-edit", name: network.name, uuid: network.uuid)
            + (try network.format(.inactive))
        try await host.perform(.writeFile(paths.configuration(network.name), text: text, mode: 0o600))
    }

    /// virNetworkUndefine
    func undefine(_ uuid: UUID, _ name: String) async throws {
        try await change(uuid, name, "undefine") { entry in
            guard let definition = entry.persistent else {
                throw VirtError(.operationInvalid, .network, "can't undefine transient network")
            }
            try await host.perform(.removeFile("\(paths.autostart)/\(entry.name).xml"))
            try await host.perform(.removeFile(paths.configuration(entry.name)))
            if entry.isActive {
                registry.publish(
                    entry.changed {
                        $0.persistent = nil
                        $0.isAutostarted = false
                    })
            } else {
                registry.remove(uuid)
                await lifecycle.removeFiles(definition)
            }
            announce(definition, .undefined)
        }
    }

    /// virNetworkSetAutostart
    func setAutostart(_ uuid: UUID, _ name: String, _ isOn: Bool) async throws {
        try await change(uuid, name, "set-autostart") { entry in
            guard entry.isPersistent else {
                throw VirtError(.operationInvalid, .network, "cannot set autostart for transient network")
            }
            guard entry.isAutostarted != isOn else { return }
            let link = "\(paths.autostart)/\(entry.name).xml"
            if isOn {
                let target = paths.configuration(entry.name)
                try await BlockingPool.shared.run { [paths] in
                    try FileSystem.makeDirectories(paths.autostart)
                    try FileSystem.makeLink(link, to: target)
                }
            } else {
                try await host.perform(.removeFile(link))
            }
            registry.publish(entry.changed { $0.isAutostarted = isOn })
        }
    }

    // MARK: Running

    /// virNetworkCreate
    func start(_ uuid: UUID, _ name: String) async throws {
        try await change(uuid, name, "start") { try await start($0) }
    }

    /// The caller has the job.
    func start(_ entry: NetworkEntry) async throws {
        if entry.isActive { throw VirtError(.operationInvalid, .network, "network is already active") }
        await removePorts(entry)
        let status = try await lifecycle.start(entry.current)
        let latest = try registry.find(entry.uuid)
        registry.publish(
            latest.changed {
                $0.status = status
                $0.ports = []
            })
        announce(status.network, .started)
    }

    /// virNetworkCreateXML: a network that is gone when it stops, or a running variant of a persistent one.
    func create(_ xml: String) async throws -> Network {
        let network = try parse(xml)
        return try await jobs.run(network.name, "create") {
            let (admitted, previous) = try registry.admit(network, isLive: true, linkExists: host.linkExists) {
                $1 ?? NetworkEntry(pending: $0)
            }
            do {
                await removePorts(NetworkEntry(pending: admitted))
                let status = try await lifecycle.start(admitted)
                var entry = previous ?? NetworkEntry()
                entry = entry.changed {
                    $0.status = status
                    $0.ports = []
                }
                registry.publish(entry)
                announce(status.network, .started)
                return status.network
            } catch {
                restore(previous, admitted.uuid)
                throw error
            }
        }
    }

    /// virNetworkDestroy
    func destroy(_ uuid: UUID, _ name: String) async throws {
        try await change(uuid, name, "destroy") { entry in
            let status = try entry.requireActive()
            await lifecycle.stop(status.network)
            await removePorts(entry)
            if entry.isPersistent {
                registry.publish(
                    entry.changed {
                        $0.status = nil
                        $0.ports = []
                    })
            } else {
                registry.remove(uuid)
                await lifecycle.removeFiles(status.network)
            }
            announce(status.network, .stopped)
        }
    }

    /// Removes the files of all ports.
    private func removePorts(_ entry: NetworkEntry) async {
        let directory = paths.state + "/" + entry.name
        do {
            try await BlockingPool.shared.run { try FileSystem.removeTree(directory) }
        } catch {
            networkLog.warning("cannot remove ports of network '\(entry.name)': \(error)")
        }
    }

    /// Replaces the running state and writes it down.
    func publish(_ entry: NetworkEntry, status: NetworkStatus) async throws {
        try await host.perform(try lifecycle.writeStatus(status))
        registry.publish(entry.changed { $0.status = status })
    }
}

/// Something that happened to a network.
struct NetworkEvent: Sendable, Equatable {
    /// virNetworkEventLifecycleType
    enum Kind: Int32, Sendable { case defined, undefined, started, stopped }

    let name: String
    let uuid: UUID
    let kind: Kind
}
