import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC

/// Changing devices in place: media of drives, link states.
extension DomainActor {
    /// virDomainUpdateDeviceFlags.
    func updateDevice(_ xml: String, flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(ModificationImpact.mask | Self.forceFlag, "qemuDomainUpdateDeviceFlags")
        try await withJob(.modify, "virDomainUpdateDeviceFlags", client: client.id) {
            let impact = try self.impact(flags & ModificationImpact.mask)
            let document = try DeviceDocument(parsing: xml)
            let config = impact.config ? try await self.replacing(document, in: self.config) : nil
            if impact.live {
                switch document.kind {
                case "disk": try await self.updateDisk(document, force: flags & Self.forceFlag != 0)
                case "interface": try await self.updateInterface(document)
                default:
                    throw VirtError(
                        .operationUnsupported, .qemu, "live update of device '\(document.kind)' is not supported")
                }
            }
            if let config { try await self.changeConfig { $0 = config } }
        }
    }

    /// A definition with a device in the place of the one that it updates.
    private func replacing(_ document: DeviceDocument, in definition: Domain?) async throws -> Domain {
        guard let before = definition else { throw removedError }
        var domain = before
        if var disk = document.devices.disks.first {
            let name = disk.target.dev ?? ""
            guard let index = domain.devices.disks.firstIndex(where: { $0.target.dev == name }) else {
                throw VirtError(.invalidArg, .qemu, "target \(name) doesn't exist.")
            }
            disk.info.address = disk.info.address ?? domain.devices.disks[index].info.address
            disk.info.alias = disk.info.alias ?? domain.devices.disks[index].info.alias
            domain.devices.disks[index] = disk
        } else if var interface = document.devices.interfaces.first {
            let index = try domain.devices.interfaceIndex(interface)
            interface.info.address = interface.info.address ?? domain.devices.interfaces[index].info.address
            interface.info.alias = interface.info.alias ?? domain.devices.interfaces[index].info.alias
            domain.devices.interfaces[index] = interface
        } else if let graphics = document.devices.graphics.first {
            guard let index = domain.devices.graphics.firstIndex(where: { $0.type == graphics.type }) else {
                throw VirtError(
                    .invalidArg, .qemu,
                    "cannot find existing graphics type '\(graphics.type.rawValue)' device to modify")
            }
            domain.devices.graphics[index] = graphics
        } else {
            throw Devices.unsupported("update", document.kind)
        }
        try await driver.complete(&domain, after: before)
        return domain
    }

    // MARK: Interfaces

    private func updateInterface(_ document: DeviceDocument) async throws {
        guard let wanted = document.devices.interfaces.first else { return }
        let (live, _) = try running()
        let index = try live.devices.interfaceIndex(wanted)
        let old = live.devices.interfaces[index]
        try Self.checkUpdate(wanted, of: old)
        guard let alias = old.info.alias else { throw removedError }
        let isUp = wanted.link != .down
        if isUp != (old.link != .down) {
            try await command("set_link", ["name": .string(alias), "up": .bool(isUp)])
            if let name = old.targetDevice, old.usesTap { try TapDevice.attach(name, bridge: nil, up: isUp) }
        }
        guard let now = self.live?.devices.interfaces.firstIndex(where: { $0.info.alias == alias }) else { return }
        self.live?.devices.interfaces[now].link = wanted.link
        await saveStatus()
    }

    private static func checkUpdate(_ wanted: Interface, of old: Interface) throws(VirtError) {
        func refuse(_ what: String) -> VirtError {
            VirtError(.operationUnsupported, .qemu, "cannot modify network device \(what)")
        }
        if wanted.type != old.type { throw refuse("type") }
        if let model = wanted.model, model != old.model {
            throw refuse("model from \(old.model ?? "(null)") to \(model)")
        }
        switch wanted.type {
        case .network where wanted.source.network != old.source.network: throw refuse("source")
        case .bridge where wanted.source.bridge != old.source.bridge: throw refuse("source")
        default: break
        }
        if let address = wanted.info.address, address != old.info.address { throw refuse("guest address") }
        if let alias = wanted.info.alias, alias != old.info.alias { throw refuse("alias") }
    }

    // MARK: Drives

    private func updateDisk(_ document: DeviceDocument, force: Bool) async throws {
        guard let wanted = document.devices.disks.first else { return }
        let (live, _) = try running()
        let index = try live.devices.diskIndex(wanted, isLive: true)
        var disk = live.devices.disks[index]
        guard disk.device == .cdrom || disk.device == .floppy else {
            guard wanted.source.path == disk.source.path else {
                throw VirtError(
                    .operationUnsupported, .qemu,
                    "Removable media not supported for \(disk.device.rawValue) device")
            }
            return
        }
        guard wanted.target.bus == nil || wanted.target.bus == disk.target.bus else {
            throw VirtError(.operationUnsupported, .qemu, "cannot modify field 'bus' (or it's parts) of the disk")
        }
        let isSamePlace =
            wanted.source.type == disk.source.type && wanted.source.path == disk.source.path
            && wanted.source.volume == disk.source.volume
        if isSamePlace { return }
        let old = disk
        disk.source = wanted.source
        disk.source.index = nil
        disk.backingStore = nil
        var driver = disk.driver ?? DiskDriver()
        if !wanted.source.isEmpty { driver.type = wanted.driver?.type ?? "raw" }
        disk.driver = driver
        try await changeMedium(of: disk, from: old, force: force)
    }

    private func changeMedium(of disk: Disk, from old: Disk, force: Bool) async throws {
        guard let alias = old.info.alias else { throw removedError }
        var disk = disk
        var files: [GuestRuntime.OwnedFile] = []
        if !disk.source.isEmpty {
            try await prepare(&disk)
            try await lock(disk.lockSubject)
            files = try await takeFiles(of: disk)
        } else {
            // A drive without medium takes a number too.
            runtime?.nodeIndex += 1
            disk.source.index = runtime?.nodeIndex
        }
        do {
            try await swap(alias, to: disk, force: force)
        } catch {
            await giveBack(files)
            await unlock(disk.lockSubject)
            throw error
        }
        guard let now = live?.devices.disks.firstIndex(where: { $0.info.alias == alias }) else { return }
        let tray = disk.source.isEmpty ? live?.devices.disks[now].target.tray : nil
        live?.devices.disks[now] = disk
        live?.devices.disks[now].target.tray = tray
        await release(old)
        runtime?.ownedFiles += files
        await saveStatus()
    }

    /// Opens the tray, takes the old medium out and puts the new one in.
    private func swap(_ alias: String, to disk: Disk, force: Bool) async throws {
        guard let monitor = runtime?.monitor, let runtime, let live else { throw removedError }
        var session = PlugSession(monitor)
        let id: JSONValue = .string(alias)
        try await session.run([
            QMPCommand("blockdev-open-tray", ["id": id, "force": .bool(force)]),
            QMPCommand("blockdev-remove-medium", ["id": id]),
        ])
        let closing = QMPCommand("blockdev-close-tray", ["id": id])
        guard !disk.source.isEmpty, let index = disk.source.index else { return try await session.run([closing]) }
        var devices = Devices()
        devices.disks = [disk]
        let facts = try await driver.facts(for: live)
        let commands = try DevicePlug.commands(for: devices, in: live, facts, plugEnvironment(runtime))
        do {
            try await session.run(commands.filter { $0.name != "device_add" })
            try await session.run([
                QMPCommand(
                    "blockdev-insert-medium",
                    ["id": id, "node-name": .string("libvirt-\(index)-format")]),
                closing,
            ])
        } catch {
            await session.takeBack()
            throw error
        }
    }
}

extension Interface {
    /// The host's end is a tap device.
    var usesTap: Bool { (try? tapBridge) != nil }
}
