import Glibc
import Synchronization
import VirtCore
import VirtOS
import VirtRPC

private let log = Logger("daemon.main")

/// The first half of a daemon's start, while there is one thread: configuration, log, background, signals, pid file.
struct DaemonStart {
    let description: DaemonDescription
    let options: DaemonOptions
    let paths: DaemonPaths
    let config: ConfigFile
    let settings: DaemonSettings
    let logSetup: LogSetup
    let background: Background?
    /// What the program before left, when this one took its place in the process.
    let inherited: InheritedState?

    /// Reads the configuration and goes into the background; returns in the daemon's process.
    init(_ description: DaemonDescription, _ options: DaemonOptions, _ program: String) throws(StartFailure) {
        let paths = DaemonPaths(root: options.root, session: geteuid() != 0 && options.root.isEmpty)
        self.description = description
        self.options = options
        self.paths = paths
        let isPrivileged = !paths.isSession
        let file = try StartFailure.at(.configuration) { () throws(VirtError) in
            try Self.configuration(description.name, options, paths)
        }
        config = file
        let (settings, warnings) = try StartFailure.at(.configuration) { () throws(VirtError) in
            do throws(VirtError) {
                return try DaemonSettings.read(file, kind: description.configKind, isPrivileged: isPrivileged)
            } catch {
                throw Self.cannotLoad(error, file.name)
            }
        }
        self.settings = settings
        logSetup = try StartFailure.at(.configuration) { () throws(VirtError) in
            try LogSetup.apply(settings.log, name: description.name, paths: paths, options: options)
        }
        for warning in warnings { log.warning(warning) }
        if options.isListening { log.warning("--listen is ignored: there are no TCP sockets") }
        inherited =
            description.isReplaceable ? InheritedState.takeOrStartEmpty(paths.restartState(description.name)) : nil
        // A replaced daemon is in the background already.
        guard options.isDaemon, inherited == nil else {
            background = nil
            return
        }
        background = try StartFailure.at(.initialisation) { () throws(VirtError) in
            try Background.enter(program: program)
        }
    }

    /// The configuration file: an explicit one must exist, the usual one may be missing.
    private static func configuration(
        _ name: String, _ options: DaemonOptions, _ paths: DaemonPaths
    ) throws(VirtError) -> ConfigFile {
        let path = options.configPath ?? "\(paths.etcLibvirt)/\(name).conf"
        if options.configPath == nil, !FileSystem.exists(path) { return .empty(name: path) }
        do throws(VirtError) {
            return try ConfigFile.parse(bytes: try FileSystem.read(path, limit: 10 << 20), name: path)
        } catch {
            throw cannotLoad(error, path)
        }
    }

    private static func cannotLoad(_ error: VirtError, _ path: String) -> VirtError {
        VirtError(code: error.code, domain: .conf, verbatim: "Can't load config file: \(error.message): \(path)")
    }

    /// Runs the daemon; returns its exit status.
    func run() -> Int32 {
        do throws(StartFailure) {
            try StartFailure.at(.signals) { () throws(VirtError) in try Signals.prepare() }
            umask(paths.isSession ? 0o077 : 0o022)
            let pidFile = try StartFailure.at(.pidFile) { () throws(VirtError) in try acquirePidFile() }
            try StartFailure.at(.runDirectory) { () throws(VirtError) in
                try FileSystem.makeDirectories(paths.runLibvirt, mode: paths.isSession ? 0o700 : 0o755)
            }
            let loops = EventLoopGroup()
            let status = runLoops(try runtime(loops), on: loops)
            pidFile.remove()
            return status
        } catch {
            log.error(error.cause.message)
            background?.report(error.step)
            return 1
        }
    }

    private func acquirePidFile() throws(VirtError) -> PidFile {
        let path = options.pidPath ?? paths.pidFile(description.name)
        if options.pidPath == nil { try FileSystem.makeDirectories(FileSystem.directory(of: path)) }
        return try PidFile(acquiring: path)
    }

    private func runtime(_ loops: EventLoopGroup) throws(StartFailure) -> DaemonRuntime {
        var activation = try StartFailure.at(.network) { () throws(VirtError) in try Activation.take() }
        SystemToken.current = try StartFailure.at(.initialisation) { () throws(VirtError) in
            try HostIdentity.systemToken(paths)
        }
        let context = DaemonContext(
            name: description.name, paths: paths, loops: loops, config: config, inhibitor: Inhibitor(),
            notify: SystemdNotify(), storedDescriptors: activation.claimStored(),
            remains: inherited?.driver, hostUUID: HostIdentity.uuid(settings))
        return DaemonRuntime(self, context, activation)
    }

    /// The first thread waits; everything else happens on the loops.
    private func runLoops(_ runtime: DaemonRuntime, on loops: EventLoopGroup) -> Int32 {
        let status = ExitCode()
        Task(executorPreference: loops.loops[0]) { status.set(await runtime.run()) }
        return status.wait()
    }
}

/// Hands a daemon's exit status to its first thread.
private final class ExitCode: @unchecked Sendable {
    private var semaphore = sem_t()
    private let code = Atomic<Int32>(0)

    init() { unsafe sem_init(&semaphore, 0, 0) }

    func set(_ status: Int32) {
        code.store(status, ordering: .releasing)
        unsafe sem_post(&semaphore)
    }

    func wait() -> Int32 {
        while unsafe sem_wait(&semaphore) < 0, errno == EINTR {}
        return code.load(ordering: .acquiring)
    }
}
