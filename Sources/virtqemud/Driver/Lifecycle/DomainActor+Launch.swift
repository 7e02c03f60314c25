import Glibc
import QEMUCommand
import QEMUMonitor
import Synchronization
import VirtCore
import VirtModel
import VirtOS

/// The steps of a start from the process to the running guest.
extension DomainActor {
    /// Starts QEMU up to its handshake, notes it on disk, hands it its files, and lets it go.
    func launch(_ command: QEMUCommandLine, _ plan: inout StartPlan) async throws {
        plan.log?.write(logHeader(command, plan.facts))
        plan.log = await plan.log?.marked()
        if driver.configuration.locks != .none { plan.setLockSocket(DescriptorBox(try UnixSocket.make())) }
        let child = childProcess(command, plan)
        let loop = self.loop
        let group = try plannedCgroup(plan.domain)
        // Taken back after the process: a group with members stays.
        plan.undo.add("control group") {
            _ = try? await BlockingPool.shared.run { _ = group?.group.remove() }
        }
        let process = try await BlockingPool.shared.run { try ChildProcess.spawn(child, on: loop) }
        plan.undo.add("process") {
            process.kill(SIGKILL)
            _ = try? await process.waitExit(timeout: .seconds(30))
        }
        runtime?.process = process
        runtime?.pid = process.pid
        addStatusUndo(&plan)
        // A daemon that dies from here on finds the guest again.
        try await writeStatus()
        try await waitForChild(process, plan)
        try await enterCgroup(process.pid, group, plan.domain)
        try await bindLocks(plan)
        try await takeFiles(&plan)
        try await process.release()
        plan.descriptors = [:]
    }

    private func childProcess(_ command: QEMUCommandLine, _ plan: StartPlan) -> ChildProcess {
        let configuration = driver.configuration
        var child = ChildProcess(command.binary, command.arguments)
        child.environment = command.environment
        child.descriptors = plan.descriptors
        child.daemonize = true
        child.connection = plan.lockNumber.map { .init(descriptor: $0, path: driver.paths.lockSocket) }
        child.newSession = true
        child.handshake = true
        child.umask = 0o002
        child.workingDirectory = "/"
        child.pidFile = driver.paths.pidFile(name)
        child.limits = [ResourceLimit(.coreSize, configuration.maxCore)]
        if configuration.maxProcesses > 0 {
            child.limits.append(ResourceLimit(.processes, UInt64(configuration.maxProcesses)))
        }
        if let locked = plan.domain.lockedMemoryLimit { child.limits.append(ResourceLimit(.lockedMemory, locked)) }
        if configuration.maxFiles > 0 {
            child.limits.append(ResourceLimit(.openFiles, UInt64(configuration.maxFiles)))
        }
        child.user = driver.guestUser
        return child
    }

    /// Waits until the child has done all but become QEMU.
    private func waitForChild(_ process: RunningChild, _ plan: StartPlan) async throws {
        do {
            try await process.waitForHandshake()
        } catch let error as VirtError where plan.lockSocket != nil && error.message.contains(driver.paths.lockSocket) {
            throw LockFailure.beforeExec("XML-RPC", error)
        }
    }

    private func addStatusUndo(_ plan: inout StartPlan) {
        let status = driver.paths.status(name)
        let pid = driver.paths.pidFile(name)
        plan.undo.add("status file") {
            _ = try? await BlockingPool.shared.run {
                _ = try? FileSystem.remove(status)
                _ = try? FileSystem.remove(pid)
            }
        }
    }

    /// Makes the guest's files QEMU's.
    private func takeFiles(_ plan: inout StartPlan) async throws {
        guard driver.configuration.dynamicOwnership, !driver.paths.isSession else { return }
        let driver = self.driver
        let domain = plan.domain
        let files = try await BlockingPool.shared.run { domain.filesToOwn + domain.deviceNodesToOwn }
        let taken = OwnedFiles()
        plan.undo.add("file owners") {
            _ = try? await BlockingPool.shared.run { driver.giveBack(taken.list) }
        }
        try await BlockingPool.shared.run {
            for file in files {
                try driver.owner.take(file.path, remember: file.remembered)
                taken.add(file)
            }
        }
        runtime?.ownedFiles = files
    }

    private func logHeader(_ command: QEMUCommandLine, _ facts: QEMUCapabilities) -> String {
        var name = utsname()
        unsafe uname(&name)
        func text<T>(_ field: T) -> String {
            unsafe withUnsafeBytes(of: field) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        let version = "\(facts.version / 1_000_000).\(facts.version / 1000 % 1000).\(facts.version % 1000)"
        let start =
            "\(GuestLog.timestamp()): starting up libvirt version: \(LibvirtVersion.text), "
            + "qemu version: \(version)\(facts.package ?? ""), kernel: \(text(name.release)), "
            + "hostname: \(text(name.nodename))"
        return start + "\n" + command.logLines + "\n"
    }

    /// Connects to QEMU's monitor: the socket listens since before QEMU runs.
    func connectMonitor(_ plan: inout StartPlan) async throws {
        guard let path = runtime?.monitorPath else { throw removedError }
        let monitor = try await openMonitor(path)
        runtime?.monitor = monitor
        plan.undo.add("monitor") { await monitor.close() }
        runtime?.devices = []
    }

    /// A monitor whose events and end are this guest's.
    func openMonitor(_ path: String) async throws -> QEMUMonitor {
        let guest = generation
        let callbacks = QEMUMonitor.Callbacks(
            event: { [weak self] event in self?.assumeIsolated { $0.handle(event, of: guest) } },
            close: { [weak self] reason in self?.assumeIsolated { $0.monitorClosed(of: guest, reason) } })
        return try await QEMUMonitor.connect(path: path, loop: loop, callbacks: callbacks)
    }

    /// Lets the processors run, with the locks that this takes; the state follows from QEMU's event.
    func resumeProcessors(_ reason: DomainState.Running) async throws {
        guard let monitor = runtime?.monitor else { throw removedError }
        try await acquireLocks()
        do {
            runtime?.pendingRunning = reason
            try await monitor.execute("cont", timeout: MonitorTimeout.standard)
        } catch {
            runtime?.pendingRunning = nil
            await releaseLocks()
            throw error
        }
    }

    /// Lets the guest's processors run.
    func letRun(_ reason: DomainState.Running) async throws {
        try await resumeProcessors(reason)
        if state.kind != .running {
            // QEMU tells of its resuming before it answers; a state that says otherwise means it did not.
            state = .running(reason)
            publish()
        }
    }
}

/// The files that a start has taken so far, shared with its undo.
final class OwnedFiles: Sendable {
    private let files = Mutex<[GuestRuntime.OwnedFile]>([])
    var list: [GuestRuntime.OwnedFile] { files.withLock { $0 } }
    func add(_ file: GuestRuntime.OwnedFile) { files.withLock { $0.append(file) } }
}
