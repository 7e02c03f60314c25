import Glibc
import QEMUCommand
import VirtCore
import VirtModel
import VirtOS

/// The steps of a start before there is a process.
extension DomainActor {
    /// Gives the guest its number; from here on the domain counts as active.
    func prepare(_ definition: Domain) async throws -> StartPlan {
        let facts = try await driver.facts(for: definition)
        let driver = self.driver
        let id = driver.nextID()
        var domain = definition
        domain.id = id
        domain.clock.begin()
        let arch = domain.os.arch ?? Emulators.hostArch
        try domain.checkProcessorModel(facts, kvm: domain.type == .kvm)
        if let map = try await BlockingPool.shared.run({ HostDescription.map(for: arch) }) {
            try domain.resolveProcessor(facts, kvm: domain.type == .kvm, map: map)
        }
        if domain.resource.partition == nil { domain.resource.partition = "/machine" }
        let library = driver.paths.domainLibrary(name, id: id)
        let channels = driver.paths.domainChannels(name, id: id)
        var environment = CommandEnvironment(
            libraryDirectory: library, channelDirectory: channels,
            memoryDirectory: driver.paths.domainMemory(name, id: id))
        driver.configuration.apply(to: &environment)
        environment.endsBackingChains = true
        environment.now = WallClock.seconds
        var runtime = GuestRuntime(id: id, libraryPath: library, channelPath: channels)
        runtime.flags = facts.flags
        runtime.usesLogDaemon = driver.configuration.usesLogDaemon
        runtime.remembersOwner = driver.configuration.rememberOwner
        runtime.originalCPU = try domain.cpu.map { try $0.formatElement(depth: 1) }
        generation += 1
        monitorEnded = false
        self.runtime = runtime
        live = domain
        state = .paused(.startingUp)
        var plan = StartPlan(domain: domain, facts: facts, environment: environment)
        driver.guestStarted()
        plan.undo.add("active guest") { driver.guestEnded() }
        publish()
        return plan
    }

    /// The guest's own directories, and its master key.
    func makeDirectories(_ plan: inout StartPlan) async throws {
        let library = plan.environment.libraryDirectory
        let memory = plan.domain.usesMemoryFiles ? [plan.environment.memoryDirectory] : []
        let directories = [library, plan.environment.channelDirectory] + memory
        let configuration = driver.configuration
        let key = plan.masterKey
        plan.undo.add("directories") {
            _ = try? await BlockingPool.shared.run {
                for path in directories { try? FileSystem.removeTree(path) }
            }
        }
        try await BlockingPool.shared.run {
            for path in directories {
                try? FileSystem.removeTree(path)
                try FileSystem.makeDirectories(path, mode: 0o755)
                try configuration.giveDirectory(path, mode: 0o750)
            }
            let path = library + "/master-key.aes"
            try FileSystem.atomicWrite(
                path, key.bytes, mode: 0o600, owner: .init(uid: configuration.uid, gid: configuration.gid))
        }
    }

    /// Aliases, node names, ports of displays, paths of sockets, labels.
    func assignDevices(_ plan: inout StartPlan) async throws {
        plan.domain.assignAliases()
        plan.domain.setChannelPaths(plan.environment.channelDirectory)
        plan.domain.resetChannelStates()
        try await resources(of: plan).findListenAddresses(&plan.domain)
        try assignDisplayPorts(&plan)
        if !driver.paths.isSession { plan.domain.addOwnLabel(driver.configuration.dacLabel) }
        live = plan.domain
    }

    /// What the document only names: secrets, firmware, devices of the host.
    func findResources(_ plan: inout StartPlan) async throws {
        try await resources(of: plan).find(&plan.domain, &plan.environment)
        try await makeNVRAM(plan.domain)
        try await writeLaunchFiles(plan)
        try openTPMs(&plan)
        live = plan.domain
    }

    private func resources(of plan: StartPlan) -> GuestResources {
        GuestResources(driver: driver, loop: loop, key: plan.masterKey)
    }

    /// A UEFI guest's variables, copied from their template before its first start.
    private func makeNVRAM(_ domain: Domain) async throws {
        guard let path = domain.os.nvram?.path, let loader = domain.os.loader, loader.type == .pflash else { return }
        let given = domain.os.nvram?.template
        try await BlockingPool.shared.run {
            guard !FileSystem.exists(path) else { return }
            guard let template = given ?? FirmwareDescriptor.template(for: loader.path ?? "") else {
                throw VirtError(
                    .operationFailed, .qemu, "unable to find any master var store for loader: \(loader.path ?? "")")
            }
            try FileSystem.atomicWrite(path, FileSystem.read(template, limit: 256 << 20), mode: 0o600)
        }
    }

    /// What the owner of an encrypted guest gives its firmware.
    private func writeLaunchFiles(_ plan: StartPlan) async throws {
        guard let security = plan.domain.launchSecurity else { return }
        let directory = plan.environment.libraryDirectory
        let files = [("dh_cert.base64", security.certificate), ("session.base64", security.session)]
        let owner = FileSystem.Owner(uid: driver.configuration.uid, gid: driver.configuration.gid)
        try await BlockingPool.shared.run {
            for case (let name, let text?) in files {
                try FileSystem.atomicWrite("\(directory)/\(name)", Array(text.utf8), mode: 0o600, owner: owner)
            }
        }
    }

    /// QEMU gets a TPM of the host, and the file that cancels its commands, as descriptors.
    private func openTPMs(_ plan: inout StartPlan) throws {
        for tpm in plan.domain.devices.tpms where tpm.backend == .passthrough && tpm.model != .spaprProxy {
            guard let alias = tpm.info.alias else { continue }
            let path = tpm.devicePath ?? "/dev/tpm0"
            let name = path.split(separator: "/").last.map(String.init) ?? ""
            let cancel = "/sys/class/tpm/\(name)/device/cancel"
            let device = try openSet(path, "Could not open TPM device \(path)", &plan)
            let other = FileSystem.exists(cancel) ? cancel : "/dev/null"
            plan.environment.tpms[alias] = .init(
                device: device, cancel: try openSet(other, "Could not open TPM cancel path \(other)", &plan))
        }
    }

    private func openSet(
        _ path: String, _ text: String, _ plan: inout StartPlan
    ) throws(VirtError) -> CommandEnvironment.DescriptorSet {
        guard let file = try? OwnedDescriptor(opening: path, O_RDWR) else { throw .system(errno, .qemu, text) }
        return .init(number: nextDescriptorSet(), descriptor: plan.pass(DescriptorBox(file)))
    }

    private func assignDisplayPorts(_ plan: inout StartPlan) throws {
        let driver = self.driver
        for index in plan.domain.devices.graphics.indices {
            let ports = try plan.domain.devices.graphics[index].assignPorts(driver)
            runtime?.displayPorts += ports.display
            runtime?.websocketPorts += ports.websocket
            guard !ports.display.isEmpty || !ports.websocket.isEmpty else { continue }
            plan.undo.add("display ports") {
                for port in ports.display { driver.displayPorts.release(port) }
                for port in ports.websocket { driver.websocketPorts.release(port) }
            }
        }
    }

    /// The guest's log; what QEMU prints goes there.
    func openLog(_ plan: inout StartPlan) async throws {
        let log = try await GuestLog.open(driver, name: name, uuid: uuid, loop: loop)
        plan.log = log
        plan.descriptors[1] = log.descriptor
        plan.descriptors[2] = log.descriptor
    }

    /// Sockets that QEMU listens on are made here, so that they can be connected to at once.
    func openCharacterDevices(_ plan: inout StartPlan) async throws {
        let monitor = try listen(plan.environment.libraryDirectory + "/monitor.sock")
        plan.environment.monitor = .descriptor(plan.pass(monitor))
        for channel in plan.domain.devices.channels where channel.isAgent && channel.source.mode == .bind {
            guard let path = channel.source.path, let alias = channel.info.alias else { continue }
            let socket = try listen(path)
            _ = unsafe chown(path, driver.configuration.uid, driver.configuration.gid)
            plan.environment.characters[alias] = .init(socket: plan.pass(socket))
        }
        guard driver.configuration.usesLogDaemon else { return }
        for file in plan.domain.characterFiles { try await openCharacterFile(file, &plan) }
    }

    /// A socket that its user finds listening.
    func listen(_ path: String) throws -> DescriptorBox {
        unsafe unlink(path)
        return DescriptorBox(try UnixSocket.listen(path: path, mode: 0o775, backlog: 1))
    }

    /// Files of serial ports and the like are written through virtlogd, which rotates them.
    private func openCharacterFile(_ file: Domain.CharacterFile, _ plan: inout StartPlan) async throws {
        let daemon = try await LogDaemon.connect(driver.paths.run, loop: loop)
        defer { daemon.close() }
        let (descriptor, _) = try await daemon.open(file.path, name: name, uuid: uuid, truncate: !file.appends)
        let set = Int32(clamping: runtime?.descriptorSetIndex ?? 0)
        runtime?.descriptorSetIndex += 1
        var backend = plan.environment.characters[file.alias] ?? CommandEnvironment.CharacterBackend()
        let entry = (set: set, descriptor: plan.pass(descriptor))
        if file.isLog { backend.log = entry } else { backend.file = entry }
        plan.environment.characters[file.alias] = backend
    }
}

extension DriverConfiguration {
    /// What the command line takes from the configuration.
    func apply(to environment: inout CommandEnvironment) {
        environment.timestampsLog = logTimestamp
        environment.setsProcessName = setProcessName
        environment.dumpsGuestCore = dumpGuestCore
        environment.usesSandbox = sandbox != 0
        environment.graphics.vncListen = vncListen
        environment.graphics.spiceListen = spiceListen
        environment.graphics.vncPassword = vncPassword != nil
        environment.graphics.spicePassword = spicePassword != nil
        if let path = unsafe getenv("PATH") { environment.searchPath = unsafe String(cString: path) }
    }

    /// Makes a directory QEMU's.
    func giveDirectory(_ path: String, mode: mode_t) throws(VirtError) {
        if unsafe chown(path, uid, gid) != 0, getuid() == 0 {
            throw .system(errno, .qemu, "unable to set ownership of '\(path)' to user \(uid):\(gid)")
        }
        guard unsafe chmod(path, mode) == 0 else { throw .system(errno, .qemu, "cannot set mode of '\(path)'") }
    }
}
