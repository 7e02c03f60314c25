import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// What a daemon that was killed in the middle of a start left behind, before there was a status file: directories of a
/// guest that never came to be, and ports on networks. C libvirt leaves them for ever.
extension QEMUDriver {
    /// Removes the directories of guests that there are not.
    ///
    /// - Parameter isComplete: false: some status file could not be read, and its guest may have any of the directories.
    func removeLeftDirectories(isComplete: Bool) async {
        guard isComplete else { return }
        await stopLeftCompanions()
        let inUse = Set(
            registry.all.compactMap(\.runtime).flatMap { [$0.libraryPath, $0.channelPath, memoryPath(of: $0)] })
        let paths = self.paths
        _ = try? await BlockingPool.shared.run {
            for path in Self.guestDirectories(paths) where !inUse.contains(path) {
                // A QEMU that still listens there is on its way out, or belongs to somebody else.
                if (try? UnixSocket.connect(path: path + "/monitor.sock")) != nil { continue }
                Self.log.info("removing '\(path)', which a start that was interrupted left")
                do {
                    try FileSystem.removeTree(path)
                } catch {
                    Self.log.warning("cannot remove '\(path)': \(error)")
                }
            }
        }
    }

    /// Ends programs that were to serve a guest's devices, and removes the pid files of those that have gone.
    private func stopLeftCompanions() async {
        let paths = self.paths
        var inUse: Set<String> = []
        for domain in registry.all {
            inUse.insert(paths.pidFile(domain.name))
            guard let live = domain.live, let runtime = domain.runtime else { continue }
            inUse.formUnion(
                live.companions(paths, id: runtime.id, library: runtime.libraryPath).map(\.pidFile))
        }
        let found = (try? await BlockingPool.shared.run { Self.companions(paths) }) ?? []
        for companion in found where !inUse.contains(companion.pidFile) {
            Self.log.info("removing '\(companion.pidFile)', which a start that was interrupted left")
            await companion.stop(on: loops.next())
        }
    }

    /// Programs by their pid files, which start with a guest's number. Blocks.
    private static func companions(_ paths: DriverPaths) -> [Companion] {
        func names(_ directory: String, _ endings: [String]) -> [String] {
            let all = (try? FileSystem.names(in: directory)) ?? []
            return all.filter { name in isGuestName(name, "") && endings.contains { name.hasSuffix($0) } }
        }
        let others = names(paths.state, ["-fs.pid", "-vhost-user-gpu.pid"]).map { name in
            Companion(title: name, pidFile: "\(paths.state)/\(name)")
        }
        let tpms = names(paths.swtpmState, ["-swtpm.pid"]).map { name in
            let base = "\(paths.swtpmState)/\(name.dropLast(".pid".count))"
            return Companion(title: name, pidFile: base + ".pid", socket: base + ".sock")
        }
        return others + tpms
    }

    /// `domain-7-web` below /var/lib/libvirt/qemu is where a guest's memory is in `ram/7-web`.
    private func memoryPath(of runtime: GuestRuntime) -> String {
        guard let name = runtime.libraryPath.split(separator: "/").last, name.hasPrefix("domain-") else { return "" }
        return paths.ram + "/" + name.dropFirst("domain-".count)
    }

    /// Directories that are named after a guest's number.
    private static func guestDirectories(_ paths: DriverPaths) -> [String] {
        let places = [(paths.library, "domain-"), (paths.channelTarget, "domain-"), (paths.ram, "")]
        return places.flatMap { directory, prefix -> [String] in
            let names = (try? FileSystem.names(in: directory)) ?? []
            return names.filter { isGuestName($0, prefix) }.map { "\(directory)/\($0)" }
        }
    }

    /// Whether a name is PREFIX, a number, a dash, and something more.
    static func isGuestName(_ name: String, _ prefix: String) -> Bool {
        guard name.hasPrefix(prefix) else { return false }
        let parts = name.dropFirst(prefix.count).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.count == 2 && Int32(parts[0]).map { $0 > 0 } ?? false && !parts[1].isEmpty
    }

    /// Gives the ports back whose owner is a domain of this driver that does not run. Other ports are somebody else's.
    func releaseLeftPorts() async {
        let loop = loops.next()
        do {
            let daemon = try await PeerDaemon.connect("network", self, loop: loop)
            defer { daemon.close() }
            let networks = try await daemon.client.call(
                RemoteProgram.ConnectListAllNetworks.self, .init(needResults: 1, flags: 2)
            ).nets
            for network in networks { try await releaseLeftPorts(of: network, daemon) }
        } catch {
            // Without the network's daemon there is nothing to give back to.
            Self.log.debug("ports of guests that do not run were not looked for: \(error)")
        }
    }

    private func releaseLeftPorts(of network: RemoteNonnullNetwork, _ daemon: PeerDaemon) async throws {
        let ports = try await daemon.client.call(
            RemoteProgram.NetworkListAllPorts.self, .init(network: network, needResults: 1, flags: 0)
        ).ports
        for port in ports {
            let text = try await daemon.client.call(
                RemoteProgram.NetworkPortGetXmlDesc.self, .init(port: port, flags: 0)
            ).xml
            guard let owner = try? NetworkPort.parse(text.utf8).ownerUUID, let guest = try? registry.actor(owner) else {
                continue
            }
            try await guest.withoutGuest {
                Self.log.info("giving port \(port.uuid) of network '\(network.name)' back: its guest never started")
                _ = try await daemon.client.call(RemoteProgram.NetworkPortDelete.self, .init(port: port, flags: 0))
            }
        }
    }
}

extension DomainActor {
    /// Runs `body` when there is no guest, and keeps one from being started meanwhile.
    fileprivate func withoutGuest(_ body: @Sendable () async throws -> Void) async throws {
        try await withJob(.modify, "leftovers") {
            guard self.runtime == nil else { return }
            try await body()
        }
    }
}
