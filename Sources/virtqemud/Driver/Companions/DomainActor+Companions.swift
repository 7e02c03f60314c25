import Glibc
import QEMUCommand
import VirtCore
import VirtModel
import VirtOS

/// The programs beside QEMU, from a guest's start to its end.
extension DomainActor {
    /// Starts them before QEMU, which connects to them.
    func startCompanions(_ plan: inout StartPlan) async throws {
        let programs = try await GuestResources(driver: driver, loop: loop, key: plan.masterKey).findPrograms(
            &plan.domain)
        live = plan.domain
        for video in plan.domain.devices.videos {
            guard let program = video.info.alias.flatMap({ programs[$0] }) else { continue }
            try await startGraphics(video, program, &plan)
        }
        for filesystem in plan.domain.devices.filesystems { try await startFilesystem(filesystem, &plan) }
        for tpm in plan.domain.devices.tpms where tpm.backend == .emulator { try await startTPM(tpm, &plan) }
    }

    /// Starts one and notes it in the guest's log.
    func start(_ companion: Companion, _ program: ChildProcess, _ plan: inout StartPlan) async throws -> RunningChild {
        let loop = self.loop
        plan.log?.write(
            "\(GuestLog.timestamp()): Starting external device: \(companion.title)\n\(program.commandLine)\n")
        plan.undo.add(companion.title) { await companion.stop(on: loop) }
        return try await companion.start(program, on: loop)
    }

    private var companions: [Companion] {
        guard let live, let runtime else { return [] }
        return live.companions(driver.paths, id: runtime.id, library: runtime.libraryPath)
    }

    /// Their work counts as the emulator's.
    func placeCompanions() async throws {
        guard let group = runtime?.cgroup else { return }
        for companion in companions {
            guard let pid = await companion.runningPID() else {
                throw VirtError(.internalError, .qemu, "\(companion.title) died unexpectedly")
            }
            try await BlockingPool.shared.run { try group.place(companion: pid) }
        }
    }

    /// Ends those that did not end with QEMU.
    func stopCompanions() async {
        for companion in companions { await companion.stop(on: loop) }
    }

    // MARK: Graphics

    private func startGraphics(_ video: Video, _ path: String, _ plan: inout StartPlan) async throws {
        guard let alias = video.info.alias,
            let companion = Companion.graphics(video, driver.paths, name: name, id: runtime?.id ?? 0)
        else { return }
        await companion.stop(on: loop)
        let pair = try UnixSocket.pair()
        var program = ChildProcess(path, ["--fd=\(Self.companionDescriptor)"])
        if video.acceleration?.accel3D == true { program.arguments.append("--virgl") }
        if let node = video.acceleration?.renderNode { program.arguments.append("--render-node=\(node)") }
        program.descriptors = [Self.companionDescriptor: pair.first]
        program.user = driver.guestUser
        _ = try await start(companion, program, &plan)
        plan.environment.vhostUserDescriptors[alias] = plan.pass(pair.second)
    }

    /// The number that a companion knows its socket by.
    private static var companionDescriptor: Int32 { 30 }

    // MARK: Directories

    private func startFilesystem(_ filesystem: Filesystem, _ plan: inout StartPlan) async throws {
        guard let runtime else { throw removedError }
        guard
            let companion = Companion.filesystem(
                filesystem, driver.paths, name: name, id: runtime.id, library: runtime.libraryPath)
        else { return }
        let program = try await filesystemProgram(filesystem, companion)
        let process = try await start(companion, program, &plan)
        guard process.exitStatus == nil, await companion.runningPID() != nil else {
            throw VirtError.system(ESRCH, .qemu, "virtiofsd died unexpectedly")
        }
    }

    /// virtiofsd with a socket that listens already, and a log of its own. It runs as root: it takes on the users of the
    /// guest.
    func filesystemProgram(_ filesystem: Filesystem, _ companion: Companion) async throws -> ChildProcess {
        let directory = filesystem.sourceDirectory ?? ""
        let binary = filesystem.binary?.path ?? ""
        guard FileSystem.exists(directory) else {
            throw VirtError(
                .internalError, .qemu, "the virtiofs export directory '\(directory)' does not exist")
        }
        guard ChildProcess.find(binary) != nil else {
            throw VirtError(.internalError, .qemu, "virtiofsd binary '\(binary)' is not executable")
        }
        guard let path = companion.socket else { throw removedError }
        let socket = try listen(path)
        // virtiofsd waits in accept().
        try socket.descriptor.setNonBlocking(false)
        if !driver.paths.isSession {
            let configuration = driver.configuration
            try FileSystem.giveSocket(path, of: geteuid(), to: configuration.uid, configuration.gid)
        }
        let number = Self.companionDescriptor
        var program = ChildProcess(binary, filesystem.daemonArguments(descriptor: number))
        if driver.configuration.virtiofsdDebug { program.arguments.append("-d") }
        let log = try await openLog(of: filesystem)
        program.descriptors = [number: socket, 1: log, 2: log]
        return program
    }

    private func openLog(of filesystem: Filesystem) async throws -> DescriptorBox {
        let path = "\(driver.paths.log)/\(name)-\(filesystem.info.alias ?? "")-virtiofsd.log"
        guard driver.configuration.usesLogDaemon else {
            return try await BlockingPool.shared.run {
                DescriptorBox(try OwnedDescriptor(opening: path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600))
            }
        }
        let daemon = try await LogDaemon.connect(driver.paths.run, loop: loop)
        defer { daemon.close() }
        return try await daemon.open(path, name: name, uuid: uuid, truncate: false).0
    }
}

extension QEMUDriver {
    /// Who QEMU and what belongs to it run as; nil: whoever the daemon is.
    var guestUser: ChildProcess.User? {
        guard !paths.isSession else { return nil }
        return .init(uid: configuration.uid, gid: configuration.gid, groups: configuration.groups)
    }
}

extension Filesystem {
    /// virtiofsd's arguments for a socket that it inherits.
    func daemonArguments(descriptor: Int32) -> [String] {
        let directory = (sourceDirectory ?? "").split(separator: ",", omittingEmptySubsequences: false)
        var options = ["source=" + directory.joined(separator: ",,")]
        if let mode = binary?.cacheMode { options.append("cache=\(mode)") }
        if let mode = binary?.sandboxMode { options.append("sandbox=\(mode)") }
        func add(_ name: String, _ flag: Bool?) {
            if let flag { options.append(flag ? name : "no_" + name) }
        }
        add("xattr", binary?.xattr)
        add("flock", binary?.lockFlock)
        add("posix_lock", binary?.lockPOSIX)
        let pool = binary?.threadPoolSize.map { ["--thread-pool-size=\($0)"] } ?? []
        return ["--fd=\(descriptor)", "-o", options.joined(separator: ",")] + pool
    }
}

/// The devices of the host that can render.
enum RenderNode {
    /// The path of the first one. Blocks.
    static func first(_ directory: String = "/dev/dri") throws(VirtError) -> String {
        guard FileSystem.isDirectory(directory) else {
            throw .system(ENOENT, .none, "cannot open directory '\(directory)'")
        }
        guard let name = try FileSystem.names(in: directory).first(where: { $0.hasPrefix("renderD") }) else {
            throw VirtError(.noSupport, .none, "No DRM render nodes available")
        }
        return "\(directory)/\(name)"
    }
}
