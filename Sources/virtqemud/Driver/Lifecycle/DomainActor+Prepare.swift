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
        if let map = try await BlockingPool.shared.run({ HostDescription.map(for: arch) }) {
            try domain.resolveHostModel(facts, kvm: domain.type == .kvm, map: map)
        }
        if domain.resource.partition == nil { domain.resource.partition = "/machine" }
        let library = driver.paths.domainLibrary(name, id: id)
        let channels = driver.paths.domainChannels(name, id: id)
        var environment = CommandEnvironment(
            libraryDirectory: library, channelDirectory: channels,
            memoryDirectory: driver.paths.domainMemory(name, id: id))
        driver.configuration.apply(to: &environment)
        environment.endsBackingChains = true
        environment.now = Int64(time(nil))
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
            var key = [UInt8](repeating: 0, count: 32)
            var generator = SystemRandomNumberGenerator()
            for index in key.indices { key[index] = UInt8.random(in: 0...255, using: &generator) }
            let path = library + "/master-key.aes"
            try FileSystem.atomicWrite(
                path, key, mode: 0o600, owner: .init(uid: configuration.uid, gid: configuration.gid))
        }
    }

    /// Aliases, node names, ports of displays, paths of sockets, labels.
    func assignDevices(_ plan: inout StartPlan) async throws {
        plan.domain.assignAliases()
        plan.domain.setChannelPaths(plan.environment.channelDirectory)
        plan.domain.resetChannelStates()
        try assignDisplayPorts(&plan)
        if !driver.paths.isSession { plan.domain.addOwnLabel(driver.configuration.dacLabel) }
        live = plan.domain
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

    private func listen(_ path: String) throws -> DescriptorBox {
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
