import Glibc
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC

/// The end of a guest.
extension DomainActor {
    /// virDomainDestroyFlags: ends the guest whatever runs, then cleans up under a job.
    func destroy(graceful: Bool, api: String, client: UInt64?) async throws {
        _ = try running()
        let guest = generation
        runtime?.stopReason = .destroyed
        try await killProcess(graceful: graceful)
        try await beginJob(.destroy, api, client: client)
        defer { endJob() }
        guard guest == generation, runtime != nil else { return }
        await stopGuest(.destroyed, event: .destroyed)
    }

    /// SIGTERM, and SIGKILL for one that does not obey in 10 s; no polling: the process descriptor tells.
    private func killProcess(graceful: Bool) async throws {
        guard let process = runtime?.process else { return }
        process.kill(SIGTERM)
        if try await process.waitExit(timeout: .seconds(graceful ? 15 : 10)) == nil {
            guard !graceful else {
                throw VirtError(.operationFailed, .qemu, "Failed to terminate process \(process.pid) with SIGTERM")
            }
            process.kill(SIGKILL)
            guard try await process.waitExit(timeout: .seconds(30)) != nil else {
                throw VirtError(.operationFailed, .qemu, "Failed to terminate process \(process.pid) with SIGKILL")
            }
        }
        await waitForMonitorEnd()
    }

    /// What QEMU said last is still in its monitor's socket: its events come before the guest's end.
    private func waitForMonitorEnd() async {
        guard runtime?.monitor != nil, !monitorEnded else { return }
        await withCheckedContinuation { continuation in
            monitorEndWaiters.append(continuation)
            loop.schedule(after: .seconds(1), name: "monitor end") { [weak self] in
                self?.assumeIsolated { $0.releaseMonitorEndWaiters() }
            }
        }
    }

    func releaseMonitorEndWaiters() {
        let waiters = monitorEndWaiters
        monitorEndWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// The monitor's connection ended: the guest has gone by itself, or is being ended.
    func monitorClosed(of guest: UInt64, _ reason: VirtError) {
        guard guest == generation, runtime != nil else { return }
        monitorEnded = true
        releaseMonitorEndWaiters()
        wakeBlockJobWaiters()
        if let start = jobs.holder, start.kind == .start || start.kind == .destroy { return }
        if runtime?.stopReason == .destroyed { return }
        Task { await self.guestEnded(guest) }
    }

    /// A guest whose monitor ended while its start or reconnection was not over: its end was left for now.
    func noticeEarlyEnd() {
        guard monitorEnded, runtime != nil else { return }
        let guest = generation
        Task { await self.guestEnded(guest) }
    }

    /// The process of a guest whose monitor nobody could connect to has gone.
    func processEnded(of guest: UInt64) {
        guard guest == generation, runtime != nil, runtime?.monitor == nil else { return }
        Task { await self.guestEnded(guest) }
    }

    private func guestEnded(_ guest: UInt64) async {
        do {
            try await beginJob(.stop, "monitor EOF")
        } catch {
            Self.log.error("guest '\(name)' has gone, but its domain is busy: \(error)")
            return
        }
        defer { endJob() }
        guard guest == generation, let runtime else { return }
        let wasShutDown = state.kind == .shutdown
        let reason = runtime.stopReason ?? (wasShutDown ? .shutdown : .crashed)
        await stopGuest(reason, event: wasShutDown || reason == .shutdown ? .shutdown : .failed)
    }

    /// Gives everything back that the guest had. Under a job.
    ///
    /// - Parameters:
    ///   - event: the detail of the Stopped event; nil sends none.
    ///   - keepsDomain: another guest follows at once: a transient domain does not go.
    func stopGuest(
        _ reason: DomainState.Shutoff, event: DomainEvent.Lifecycle.Stopped?, keepsDomain: Bool = false
    ) async {
        guard let runtime, let live else { return }
        generation += 1
        isEnding = true
        defer { isEnding = false }
        state = .shutoff(reason)
        self.runtime?.stopReason = reason
        await runtime.monitor?.close()
        await endProcess(runtime)
        await stopCompanions()
        await appendLog("shutting down, reason=\(state.reasonName)")
        await backupLostGuest()
        await driver.runHook(live, "stopped", "end")
        await release(runtime, live)
        self.runtime = nil
        monitorEnded = false
        autodestroyClient = nil
        if isPersistent { self.live = nil }
        driver.guestEnded()
        if !isPersistent { await dropCheckpointFiles() }
        publish()
        await driver.runHook(live, "release", "end")
        // Whoever hears of the end of a transient domain does not find it any more.
        if !isPersistent, !keepsDomain {
            await forgetAllSnapshots()
            await dropTPM(of: live)
            removeFromRegistry()
        }
        if let event { emit(.stopped(event)) }
    }

    private func endProcess(_ runtime: GuestRuntime) async {
        guard let process = runtime.process, process.exitStatus == nil else { return }
        process.kill(SIGTERM)
        if (try? await process.waitExit(timeout: .seconds(1))) ?? nil != nil { return }
        process.kill(SIGKILL)
        _ = try? await process.waitExit(timeout: .seconds(30))
    }

    /// Files, ports and owners.
    private func release(_ runtime: GuestRuntime, _ domain: Domain) async {
        let driver = self.driver
        let name = self.name
        // A write that is under way would put the file back.
        _ = await statusWrite?.result
        statusWrite = nil
        _ = try? await BlockingPool.shared.run {
            driver.giveBack(runtime.ownedFiles)
            if runtime.cgroup?.group.remove() == false {
                Self.log.warning("the control group of guest '\(name)' has processes left")
            }
            try? FileSystem.removeTree(runtime.libraryPath)
            try? FileSystem.removeTree(runtime.channelPath)
            try? FileSystem.removeTree(driver.paths.domainMemory(name, id: runtime.id))
            _ = try? FileSystem.remove(driver.paths.status(name))
            _ = try? FileSystem.remove(driver.paths.pidFile(name))
        }
        for port in runtime.displayPorts { driver.displayPorts.release(port) }
        for port in runtime.websocketPorts { driver.websocketPorts.release(port) }
        await releaseHostDevices(of: domain)
        await releaseNetworkPorts(of: domain)
    }

    /// A line of libvirt's own in the guest's log.
    func appendLog(_ text: String) async {
        let line = "\(GuestLog.timestamp()): \(text)\n"
        let path = driver.paths.logFile(name)
        do {
            guard runtime?.usesLogDaemon == true else {
                return try await BlockingPool.shared.run {
                    let file = try OwnedDescriptor(opening: path, O_WRONLY | O_CREAT | O_APPEND)
                    try FileSystem.write(file.rawValue, Array(line.utf8), name: path)
                }
            }
            let daemon = try await LogDaemon.connect(driver.paths.run, loop: loop)
            defer { daemon.close() }
            try await daemon.append(path, name: name, uuid: uuid, line)
        } catch {
            Self.log.warning("cannot append to the log of '\(name)': \(error)")
        }
    }
}
