import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// Plugging devices into a running guest.
extension DomainActor {
    /// Adds a document's device to the guest.
    func plug(_ document: DeviceDocument) async throws {
        switch document.kind {
        case "disk": try await plugDisk(document)
        case "interface": try await plugInterface(document)
        case "filesystem": try await plugFilesystem(document)
        case "hostdev": try await plugHostDevice(document)
        case "controller":
            try checkController(document)
            try await plugSimple(document)
        case "rng", "channel", "redirdev", "input", "watchdog": try await plugSimple(document)
        default:
            throw VirtError(
                .operationUnsupported, .qemu, "live attach of device '\(document.kind)' is not supported")
        }
    }

    /// The guest with the new device, which has its place and its alias; nothing else may have been added.
    func extended(_ document: DeviceDocument) async throws -> Domain {
        let (live, runtime) = try running()
        var domain = live
        try domain.devices.append(document.devices)
        try domain.devices.checkTargets()
        try await driver.complete(&domain, isNew: false)
        let expected = live.devices.controllers.count + document.devices.controllers.count
        guard domain.devices.controllers.count == expected else {
            throw VirtError(.internalError, .qemu, "No more available PCI slots")
        }
        domain.assignAliases()
        domain.setChannelPaths(runtime.channelPath)
        return domain
    }

    /// Only controllers of SCSI disks come later, and each number once.
    private func checkController(_ document: DeviceDocument) throws(VirtError) {
        guard let wanted = document.devices.controllers.first else { return }
        guard wanted.type == .scsi else {
            throw VirtError(
                .operationUnsupported, .qemu, "'\(wanted.type.rawValue)' controller cannot be hot plugged.")
        }
        let exists = live?.devices.controllers.contains { $0.type == wanted.type && $0.index == wanted.index } == true
        guard let index = wanted.index, exists else { return }
        throw VirtError(.operationFailed, .qemu, "target \(wanted.type.rawValue):\(index) already exists")
    }

    func newAlias(_ domain: Domain) throws -> String {
        guard let live, let alias = domain.newAlias(since: live) else {
            throw VirtError(.operationInvalid, .qemu, "the device has the alias of another one")
        }
        return alias
    }

    func session() throws -> PlugSession {
        guard let monitor = runtime?.monitor else {
            throw VirtError(.operationInvalid, .domain, "domain is not running")
        }
        return PlugSession(monitor)
    }

    /// What the command line of a device depends on.
    func plugEnvironment(_ runtime: GuestRuntime) -> CommandEnvironment {
        var environment = CommandEnvironment(
            libraryDirectory: runtime.libraryPath, channelDirectory: runtime.channelPath,
            memoryDirectory: driver.paths.ram)
        driver.configuration.apply(to: &environment)
        environment.endsBackingChains = true
        return environment
    }

    /// The guest has the device: notes it and tells of it.
    func finishPlug(_ alias: String, _ devices: Devices) async throws {
        _ = try running()
        try live?.devices.append(devices)
        runtime?.devices.append(alias)
        await saveStatus()
        emit(.deviceAdded(alias: alias))
    }

    // MARK: Disks

    private func plugDisk(_ document: DeviceDocument) async throws {
        guard let wanted = document.devices.disks.first else { return }
        if wanted.device == .cdrom || wanted.device == .floppy {
            throw VirtError(
                .operationUnsupported, .qemu, "disk device type '\(wanted.device.rawValue)' cannot be hotplugged")
        }
        let domain = try await extended(document)
        let alias = try newAlias(domain)
        guard var disk = domain.devices.disks.first(where: { $0.info.alias == alias }) else { throw removedError }
        switch disk.target.bus {
        case .virtio?, .scsi?, .usb?: break
        default:
            throw VirtError(
                .operationUnsupported, .qemu,
                "disk bus '\(disk.target.bus?.rawValue ?? "none")' cannot be hotplugged.")
        }
        try await prepare(&disk)
        try await lock(disk.lockSubject)
        var files: [GuestRuntime.OwnedFile] = []
        do {
            files = try await takeFiles(of: disk)
            try await run(disk: disk, in: domain)
            var devices = Devices()
            devices.disks = [disk]
            runtime?.ownedFiles += files
            try await finishPlug(alias, devices)
        } catch {
            await giveBack(files)
            await unlock(disk.lockSubject)
            throw error
        }
    }

    private func run(disk: Disk, in domain: Domain) async throws {
        guard let runtime else { throw removedError }
        var devices = Devices()
        devices.disks = [disk]
        let facts = try await driver.facts(for: domain)
        var environment = plugEnvironment(runtime)
        var session = try session()
        do {
            try await passImages(of: disk, &session, &environment)
            try await session.run(try DevicePlug.commands(for: devices, in: domain, facts, environment))
        } catch {
            await session.takeBack()
            throw error
        }
    }

    /// Finds the image and those below it, and numbers them.
    func prepare(_ disk: inout Disk) async throws {
        try await resolveVolume(&disk)
        let configuration = driver.configuration
        let found = disk
        let groups = descriptorGroups
        disk = try await BlockingPool.shared.run {
            var disk = found
            try disk.followChain(configuration, groups)
            return disk
        }
        var last = runtime?.nodeIndex ?? 0
        disk.assignNodeIndexes(&last)
        runtime?.nodeIndex = last
    }

    /// Makes a disk's images QEMU's.
    func takeFiles(of disk: Disk) async throws -> [GuestRuntime.OwnedFile] {
        guard driver.configuration.dynamicOwnership, !driver.paths.isSession else { return [] }
        var single = Domain()
        single.devices.disks = [disk]
        let files = single.filesToOwn
        let owner = driver.owner
        try await BlockingPool.shared.run {
            for file in files { try owner.take(file.path, remember: file.remembered) }
        }
        return files
    }

    func giveBack(_ files: [GuestRuntime.OwnedFile]) async {
        guard !files.isEmpty else { return }
        let driver = self.driver
        _ = try? await BlockingPool.shared.run { driver.giveBack(files) }
    }

    // MARK: Interfaces

    private func plugInterface(_ document: DeviceDocument) async throws {
        let domain = try await extended(document)
        let alias = try newAlias(domain)
        guard var interface = domain.devices.interfaces.first(where: { $0.info.alias == alias }) else {
            throw removedError
        }
        if interface.type == .network { try await createPort(&interface) }
        do {
            try await run(&interface, alias, in: domain)
            var devices = Devices()
            devices.interfaces = [interface]
            try await finishPlug(alias, devices)
        } catch {
            if interface.type == .network { await deletePort(interface) }
            throw error
        }
    }

    private func run(_ interface: inout Interface, _ alias: String, in domain: Domain) async throws {
        guard let runtime else { throw removedError }
        var session = try session()
        do {
            var environment = plugEnvironment(runtime)
            let descriptorName = "tapfd-\(alias)0"
            if let bridge = try interface.tapBridge {
                let (name, descriptor) = try makeTap(interface, bridge)
                interface.targetDevice = name
                environment.interfaces[alias] = .init(tap: [0])
                try await session.pass(descriptor, as: descriptorName)
            }
            var devices = Devices()
            devices.interfaces = [interface]
            let facts = try await driver.facts(for: domain)
            let commands = try DevicePlug.commands(for: devices, in: domain, facts, environment)
            try await session.run(commands.map { Self.named($0, descriptorName) })
            if interface.link == .down {
                try await session.run([QMPCommand("set_link", ["name": .string(alias), "up": false])])
            }
        } catch {
            await session.takeBack()
            throw error
        }
    }

    /// A descriptor has a name in the monitor, not a number.
    private static func named(_ command: QMPCommand, _ name: String) -> QMPCommand {
        guard command.name == "netdev_add", var properties = command.arguments?.object, properties["fd"] != nil else {
            return command
        }
        properties["fd"] = .string(name)
        return QMPCommand(command.name, .object(properties))
    }

    // MARK: The rest

    private func plugSimple(_ document: DeviceDocument) async throws {
        var domain = try await extended(document)
        let alias = try newAlias(domain)
        let devices = domain.devices.take(alias: alias)
        guard let runtime else { throw removedError }
        let facts = try await driver.facts(for: domain)
        let commands = try DevicePlug.commands(for: devices, in: domain, facts, plugEnvironment(runtime))
        var session = try session()
        do {
            try await session.run(commands)
        } catch {
            await session.takeBack()
            throw error
        }
        var added = devices
        for index in added.channels.indices where added.channels[index].name != nil {
            added.channels[index].state = .disconnected
        }
        try await finishPlug(alias, added)
    }
}
