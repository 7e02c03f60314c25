import Glibc
import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// The start of a guest, step by step; each step registers how to take it back.
extension DomainActor {
    /// virDomainCreateWithFlags: starts a defined domain.
    func create(flags: UInt32, _ api: String, _ client: ClientHandle?) async throws {
        try flags.checkFlags(StartFlags.known, "qemuDomainCreateWithFlags")
        try await withJob(.start, api, client: client?.id) {
            guard self.runtime == nil else {
                throw VirtError(.operationInvalid, .qemu, "domain is already running")
            }
            guard let config = self.config else { throw self.removedError }
            if self.hasManagedSave, flags & StartFlags.forceBoot == 0,
                try await self.startFromManagedSave(flags: flags, client)
            {
                return
            }
            try await self.dropManagedSave()
            try await self.startGuest(config, flags: flags, client)
        }
    }

    /// virDomainCreateXML with a definition for this domain.
    func createWith(_ domain: Domain, flags: UInt32, _ client: ClientHandle) async throws -> RemoteNonnullDomain {
        do {
            try await withJob(.start, "virDomainCreateXML", client: client.id) {
                guard self.runtime == nil else {
                    throw VirtError(
                        .operationInvalid, .domain,
                        "domain '\(self.name)' is already active")
                }
                try await self.startGuest(domain, flags: flags, client)
            }
        } catch {
            if !isPersistent, runtime == nil {
                await dropTPM(of: domain)
                removeFromRegistry()
            }
            throw error
        }
        return handle
    }

    /// A saved state that the guest is not to be started from would be wrong once it has booted.
    private func dropManagedSave() async throws {
        guard hasManagedSave else { return }
        let path = driver.paths.managedSave(name)
        try await BlockingPool.shared.run { _ = try FileSystem.remove(path) }
        hasManagedSave = false
    }

    /// Runs the steps; on failure all that was done is taken back, and the first error is the caller's.
    ///
    /// - Parameters:
    ///   - saved: the state that the guest goes on from, instead of booting.
    ///   - snapshot: the same within its images.
    func startGuest(
        _ definition: Domain, flags: UInt32, _ client: ClientHandle?, saved: SavedState? = nil,
        from snapshot: SnapshotStart? = nil
    ) async throws {
        var plan = try await prepare(definition)
        plan.isPaused = flags & StartFlags.paused != 0
        plan.setSaved(saved?.descriptor)
        plan.environment.snapshot = snapshot?.name
        if let cpu = saved?.originalCPU ?? snapshot?.originalCPU {
            runtime?.originalCPU = try? cpu.formatElement(depth: 1)
        }
        do {
            try await runSteps(&plan)
        } catch {
            let failure = await explain(error, plan)
            await abandon(&plan)
            throw failure
        }
        plan.undo.forget()
        plan.log?.close()
        if flags & StartFlags.autodestroy != 0, let client { destroyWhenGone(client) }
        publish()
        if let snapshot {
            snapshot.events.forEach(emit)
        } else {
            if plan.saved == nil { emit(.started(.booted)) }
            if plan.isPaused { emit(.suspended(plan.saved == nil ? .paused : .restored)) }
        }
        noticeEarlyEnd()
    }

    private func runSteps(_ plan: inout StartPlan) async throws {
        try await driver.requireHook(plan.domain, "prepare", "begin")
        try await makeDirectories(&plan)
        try await assignDevices(&plan)
        try await plugInterfaces(&plan)
        try await prepareHostDevices(&plan)
        try await prepareDisks(&plan)
        try await findResources(&plan)
        try await openLog(&plan)
        try await openCharacterDevices(&plan)
        try await startCompanions(&plan)
        live = plan.domain
        let command = try QEMUCommand.build(plan.domain, plan.facts, plan.environment)
        try await driver.requireHook(plan.domain, "start", "begin")
        try await launch(command, &plan)
        try await connectMonitor(&plan)
        try await synchronize(&plan)
        if let saved = plan.saved {
            try await loadState(saved)
            // Before its processors run, as libvirt tells it of a guest that goes on; of one that boots it is told after.
            emit(.started(.restored))
        }
        if plan.isPaused, plan.saved == nil { state = .paused(.user) }
        if !plan.isPaused { try await letRun(plan.saved == nil ? .booted : .restored) }
        await saveStatus()
        try await driver.requireHook(plan.domain, "started", "begin")
    }

    /// The end of a start that failed.
    private func abandon(_ plan: inout StartPlan) async {
        generation += 1
        await runtime?.monitor?.close()
        if plan.log != nil { plan.log?.write("\(GuestLog.timestamp()): shutting down, reason=failed\n") }
        await plan.undo.unwind()
        plan.log?.close()
        runtime = nil
        monitorEnded = false
        if isPersistent { live = nil }
        state = .shutoff(.failed)
        publish()
    }

    /// What QEMU itself said is worth more than that its monitor went.
    private func explain(_ error: any Error, _ plan: StartPlan) async -> any Error {
        guard let failure = error as? VirtError, let log = plan.log, runtime?.pid ?? 0 > 0 else { return error }
        guard failure.message.contains(QEMUMonitor.endOfFile) || failure.message.contains("monitor") else {
            return error
        }
        let text = await log.errorText()
        guard !text.isEmpty else { return error }
        return VirtError(.internalError, .qemu, "process exited while connecting to monitor: \(text)")
    }

    private func destroyWhenGone(_ client: ClientHandle) {
        autodestroyClient = client
        let guest = generation
        client.onClose { [weak self] in
            guard let self else { return }
            // The client's going has no task of its own; the guest's end needs one.
            Task { await self.destroyAbandoned(guest) }
        }
    }

    private func destroyAbandoned(_ guest: UInt64) async {
        guard guest == generation, autodestroyClient != nil else { return }
        try? await destroy(graceful: false, api: "autodestroy", client: nil)
    }
}
