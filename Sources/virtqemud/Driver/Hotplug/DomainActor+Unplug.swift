import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// Taking devices out of a running guest: QEMU asks the guest, and says when it has let go.
extension DomainActor {
    /// How long a call waits, as in libvirt; the guest may still comply later.
    private static let unplugTimeout: Duration = .seconds(5)

    /// Asks for a device back.
    ///
    /// - Parameter waits: whether to wait for the guest, for a while.
    func unplug(_ alias: String, waits: Bool) async throws {
        if let disk = live?.devices.disks.first(where: { $0.info.alias == alias }) { try requireIdle(disk) }
        try await command("device_del", ["id": .string(alias)])
        guard waits, try await isUnplugged(alias) else { return }
        await finishUnplug(alias)
    }

    /// Whether a device is gone within the time that a call waits for it.
    ///
    /// QEMU tells of it by an event, and the list of devices shows it: asking that from time to time needs no state
    /// here that a restart would lose.
    func isUnplugged(_ alias: String) async throws -> Bool {
        let deadline = MonotonicTime.now() + Self.unplugTimeout
        let loop = self.loop
        while true {
            let answer = try await command("qom-list", ["path": "/machine/peripheral"])
            let devices = (answer.array ?? []).compactMap { $0["name"]?.string }
            if !devices.contains(alias) { return true }
            guard MonotonicTime.now() < deadline else { return false }
            try await loop.sleep(for: .milliseconds(50))
        }
    }

    /// QEMU told that a device is gone, whoever asked for it.
    func deviceWasUnplugged(_ alias: String) {
        guard live?.aliases.contains(alias) == true else { return }
        let guest = generation
        Task {
            try? await self.withJob(.modify, "device removal") {
                guard guest == self.generation, self.runtime != nil else { return }
                await self.finishUnplug(alias)
            }
        }
    }

    /// Takes a device that is gone out of the definition, and what stood behind it out of QEMU and the host. Does
    /// nothing the second time.
    func finishUnplug(_ alias: String) async {
        guard var domain = live else { return }
        let gone = domain.devices.take(alias: alias)
        guard gone != Devices() else { return }
        live = domain
        runtime?.devices.removeAll { $0 == alias }
        publish()
        for disk in gone.disks { await release(disk) }
        for filesystem in gone.filesystems { await release(filesystem) }
        for device in gone.hostdevs { await release(device) }
        for interface in gone.interfaces {
            await attempt("netdev_del", ["id": .string("host\(alias)")])
            if interface.type == .network { await deletePort(interface) }
        }
        for rng in gone.rngs {
            await attempt("object-del", ["id": .string("obj\(alias)")])
            if rng.backend == .egd { await attempt("chardev-remove", ["id": .string("char\(alias)")]) }
        }
        if !gone.channels.isEmpty || !gone.serials.isEmpty || !gone.consoles.isEmpty || !gone.redirectedDevices.isEmpty
        {
            await attempt("chardev-remove", ["id": .string("char\(alias)")])
        }
        await saveStatus()
    }

    /// Closes a disk's images and gives them back.
    func release(_ disk: Disk) async {
        for image in disk.chain {
            guard let index = image.index else { continue }
            await attempt("blockdev-del", ["node-name": .string("libvirt-\(index)-format")])
            await attempt("blockdev-del", ["node-name": .string("libvirt-\(index)-storage")])
        }
        await closeImageSets(of: disk)
        await unlock(disk.lockSubject)
        let paths = Set(disk.chain.compactMap(\.localPath))
        let files = runtime?.ownedFiles.filter { paths.contains($0.path) } ?? []
        runtime?.ownedFiles.removeAll { paths.contains($0.path) }
        await giveBack(files)
    }

    /// A command whose refusal changes nothing.
    func attempt(_ name: String, _ arguments: JSONValue) async {
        _ = try? await runtime?.monitor?.attempt(name, arguments, timeout: MonitorTimeout.standard)
    }
}
