import Glibc
import QEMUCommand
import VirtCore
import VirtModel
import VirtOS
import VirtWire

/// virConnectDomainXMLToNative: the line that a start would run, without starting anything.
struct NativeConversion {
    let driver: QEMUDriver

    func convert(_ arguments: RemoteConnectDomainXmlToNativeArgs) async throws -> String {
        guard arguments.nativeFormat == "qemu-argv" else {
            throw VirtError(.invalidArg, .qemu, "unsupported config type \(arguments.nativeFormat)")
        }
        var domain = try await driver.readDefinition(arguments.domainXml)
        let facts = try await driver.facts(for: domain)
        var environment = try await environment(for: domain)
        let resources = GuestResources(driver: driver, loop: driver.loops.next(), key: .random())
        try checkScripts(domain)
        domain.prepareForNative()
        try await resources.findListenAddresses(&domain)
        try domain.checkProcessorModel(facts, kvm: domain.type == .kvm)
        if let map = try await BlockingPool.shared.run({ HostDescription.map(for: facts.architecture) }) {
            try domain.resolveProcessor(facts, kvm: domain.type == .kvm, map: map)
        }
        try domain.reassignAddresses(try await driver.completionContext(for: domain))
        domain.assignAliases()
        try await findVolumes(&domain, resources, environment)
        domain.assignNodeIndexes()
        _ = try await resources.findPrograms(&domain)
        try await resources.find(&domain, &environment)
        try checkTPMs(domain)
        try await checkTargets(domain)
        return try QEMUCommand.build(domain, facts, environment).text
    }

    /// Disk by disk: what an earlier disk lacks is told before a volume that isn't there.
    private func findVolumes(
        _ domain: inout Domain, _ resources: GuestResources, _ environment: CommandEnvironment
    ) async throws {
        for index in domain.devices.disks.indices {
            do {
                try await resources.findVolume(&domain.devices.disks[index])
            } catch {
                var before = domain
                before.devices.disks.removeSubrange(index...)
                before.assignNodeIndexes()
                var found = environment
                try await resources.findSecrets(before, &found)
                throw error
            }
        }
    }

    private func environment(for domain: Domain) async throws -> CommandEnvironment {
        let paths = driver.paths
        let short = DriverPaths.shortName(domain.name, id: -1).dropFirst("domain-".count)
        var environment = CommandEnvironment(
            libraryDirectory: paths.domainLibrary(domain.name, id: -1),
            channelDirectory: paths.domainChannels(domain.name, id: -1), memoryDirectory: paths.ram + "/" + short)
        environment.searchPath = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? environment.searchPath
        environment.dbusSocket = "\(paths.run)/qemu/dbus/\(short)-dbus.sock"
        let mounts = try await BlockingPool.shared.run { HugepageMount.all() }
        for mount in mounts { environment.hugepageDirectories[mount.size] = "\(mount.path)/libvirt/qemu/\(short)" }
        environment.defaultHugepageSize = mounts.first?.size
        environment.renderNode = FileSystem.exists("/dev/dri/renderD128") ? "/dev/dri/renderD128" : nil
        environment.now = WallClock.seconds
        environment.hostArchitecture = Emulators.hostArch
        (environment.hostNodes, environment.hasVFIO) = try await BlockingPool.shared.run {
            (HostTopology.read().cells.map { UInt32(clamping: $0.id) }, HostDescription.hasVFIO)
        }
        return environment
    }

    /// A script that cannot be run stops a guest; for a mere conversion it is not run.
    private func checkScripts(_ domain: Domain) throws(VirtError) {
        for script in domain.devices.interfaces.compactMap(\.script) where !script.isEmpty {
            guard unsafe access(script, X_OK) != 0 else { continue }
            throw VirtError(.internalError, .qemu, "cannot execute binary \(script): No such file or directory")
        }
    }

    /// C opens the target's device even for a conversion.
    private func checkTargets(_ domain: Domain) async throws {
        guard domain.devices.hostdevs.contains(where: { $0.type == .scsiHost }) else { return }
        _ = try await BlockingPool.shared.run { try VhostDevice.openSCSI() }
    }

    private func checkTPMs(_ domain: Domain) throws(VirtError) {
        for tpm in domain.devices.tpms where tpm.backend == .passthrough && tpm.model != .spaprProxy {
            let path = tpm.devicePath ?? "/dev/tpm0"
            guard unsafe access(path, R_OK | W_OK) != 0 else { continue }
            throw .system(errno, .qemu, "Could not open TPM device \(path)")
        }
    }
}
