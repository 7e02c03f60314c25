import Glibc
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS

/// Finding a guest again that runs since before the daemon's start.
extension DomainActor {
    /// Takes over what the status file says, without asking QEMU yet.
    func adopt(_ status: StatusFile) {
        live = status.domain
        runtime = status.runtime
        state = status.state
        runtime?.holdsLocks = driver.configuration.locks != .none && status.state.kind == .running
        generation += 1
        driver.reserveID(status.runtime.id)
        for port in status.runtime.displayPorts { driver.displayPorts.reserve(port) }
        for port in status.runtime.websocketPorts { driver.websocketPorts.reserve(port) }
        for interface in status.domain.devices.interfaces {
            if let name = interface.targetDevice { TapDevice.reserve(name) }
        }
        claimHostDevices(of: status.domain)
        driver.guestStarted()
    }

    /// Connects to the guest's QEMU. One that has gone is cleaned up after; one whose start was not finished is ended.
    func reconnect() async {
        do {
            try await beginJob(.start, "reconnect")
        } catch {
            return Self.log.error("cannot reconnect to guest '\(name)': \(error)")
        }
        defer {
            endJob()
            noticeEarlyEnd()
        }
        do {
            try await connectAgain()
        } catch {
            Self.log.error("cannot reconnect to guest '\(name)': \(error)")
            let isGone = runtime?.process.map { $0.exitStatus != nil } ?? true
            // A guest that lives but does not answer goes on: only its monitor is missing.
            guard isGone || state == .paused(.startingUp) else { return watchProcess() }
            await stopGuest(state.kind == .shutdown ? .shutdown : isGone ? .crashed : .failed, event: .failed)
        }
    }

    /// Without a monitor only the process tells of the guest's end.
    private func watchProcess() {
        let guest = generation
        runtime?.monitor = nil
        runtime?.process?.onExit { [weak self] _ in
            self?.loop.execute { [weak self] in self?.assumeIsolated { $0.processEnded(of: guest) } }
        }
    }

    private func connectAgain() async throws {
        guard let runtime, let live else { return }
        let process = try RunningChild(adopting: runtime.pid, on: loop)
        self.runtime?.process = process
        guard Self.isGuest(runtime.pid, live) else {
            // The number belongs to somebody else now.
            self.runtime?.process = nil
            throw VirtError(.internalError, .qemu, "process \(runtime.pid) is not this guest")
        }
        if state == .paused(.startingUp) {
            process.kill(SIGKILL)
            _ = try await process.waitExit(timeout: .seconds(10))
            throw VirtError(.internalError, .qemu, "the guest's start was interrupted")
        }
        let monitor = try await openMonitor(runtime.monitorPath)
        self.runtime?.monitor = monitor
        await findCgroup()
        try await resynchronize()
        await refreshBlockJobs()
        if state.kind == .shutdown { finishShutdown() }
        await saveStatus()
        if let domain = self.live { await driver.runHook(domain, "reconnect", "begin") }
    }

    /// Whether a process is this guest's QEMU: its command line has the guest's UUID.
    private static func isGuest(_ pid: Int32, _ domain: Domain) -> Bool {
        guard let uuid = domain.uuid, let line = ProcFile.bytes("/proc/\(pid)/cmdline", limit: 1 << 20) else {
            return false
        }
        return line.split(separator: 0).contains { $0.elementsEqual(uuid.description.utf8) }
    }
}
