import Glibc
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// QEMU's events: what they do to the domain's state, and which domain events they become. On the domain's loop, in order.
extension DomainActor {
    func handle(_ event: QMPEvent, of guest: UInt64) {
        guard guest == generation, runtime != nil else { return }
        Self.log.debug("guest '\(name)': \(event.name)")
        emitMonitorEvent(event)
        switch event.name {
        case "SHUTDOWN": guestShutDown(event.data)
        case "STOP": guestStopped()
        case "RESUME": guestResumed()
        case "RESET": emit(.reboot)
        case "POWERDOWN": break
        case "RTC_CHANGE": clockChanged(event.data)
        case "MEMORY_DEVICE_SIZE_CHANGE": memoryChanged(event.data)
        case "WATCHDOG": watchdogFired(event.data)
        case "BLOCK_IO_ERROR": blockError(event.data)
        case "SUSPEND": guestSuspended(toDisk: false)
        case "SUSPEND_DISK": guestSuspended(toDisk: true)
        case "WAKEUP": guestWoke()
        case "GUEST_PANICKED": guestPanicked(event.data)
        case "JOB_STATUS_CHANGE": blockJobChanged(event.data)
        case "GUEST_CRASHLOADED": emit(.crashed(.crashloaded))
        default: handleDeviceEvent(event)
        }
    }

    private func emitMonitorEvent(_ event: QMPEvent) {
        guard !driver.monitorEvents.isEmpty else { return }
        let details = event.data == .null ? nil : String(decoding: event.data.serialized(), as: UTF8.self)
        driver.monitorEvents.publish(
            DomainEvent(
                domain: handle,
                kind: .monitor(
                    name: event.name, seconds: event.seconds,
                    microseconds: UInt32(clamping: event.microseconds), details: details)))
    }

    private func clockChanged(_ data: JSONValue) {
        guard let seconds = data["offset"]?.int, let offset = live?.clock.change(by: seconds) else { return }
        publish()
        scheduleSave()
        emit(.rtcChange(offset: offset))
    }

    // MARK: States

    private func guestShutDown(_ data: JSONValue) {
        guard state.kind != .shutdown, state.kind != .shutoff else { return }
        let detail: DomainEvent.Lifecycle.Shutdown
        switch data["guest"]?.bool {
        case true?: detail = .guest
        case false?: detail = .host
        case nil: detail = .finished
        }
        state = .shutdown(.unknown)
        publish()
        emit(.shutdown(detail))
        finishShutdown()
    }

    /// The guest is off but QEMU stays: ends it, or lets the guest boot again when it was asked to reboot.
    func finishShutdown() {
        guard let runtime else { return }
        let restarts = runtime.fakeReboot || live?.restartsOnPowerOff == true
        if restarts {
            let guest = generation
            Task { await self.rebootGuest(guest) }
        } else {
            if self.runtime?.stopReason == nil { self.runtime?.stopReason = .shutdown }
            runtime.process?.kill(SIGTERM)
            scheduleSave()
        }
    }

    private func rebootGuest(_ guest: UInt64) async {
        do {
            try await withJob(.modify, "fakeReboot") {
                guard guest == self.generation, self.state.kind == .shutdown, let monitor = self.runtime?.monitor else {
                    return
                }
                try await monitor.execute("system_reset", timeout: MonitorTimeout.standard)
                self.runtime?.fakeReboot = false
                // QEMU reports RESUME only when it was stopped; the state counts as paused until then.
                self.state = .paused(.shuttingDown)
                try await self.resumeProcessors(.booted)
                await self.saveStatus()
            }
        } catch {
            Self.log.error("guest '\(name)' could not be reset: \(error)")
            runtime?.process?.kill(SIGTERM)
        }
    }

    private func guestStopped() {
        guard state.kind == .running else { return }
        let reason = runtime?.pendingPause ?? .unknown
        runtime?.pendingPause = nil
        state = .paused(reason)
        publish()
        emit(.suspended(Self.detail(of: reason)))
        releaseLocksSoon()
        scheduleSave()
    }

    static func detail(of reason: DomainState.Paused) -> DomainEvent.Lifecycle.Suspended {
        switch reason {
        case .migration: .migrated
        case .ioError: .ioError
        case .watchdog: .watchdog
        case .fromSnapshot: .fromSnapshot
        case .postcopy: .postcopy
        case .postcopyFailed: .postcopyFailed
        case .apiError: .apiError
        case .unknown, .user, .save, .dump, .shuttingDown, .snapshot, .crashed, .startingUp: .paused
        }
    }

    private func guestResumed() {
        guard state.kind == .paused || state.kind == .suspended else { return }
        let reason = runtime?.pendingRunning ?? .unpaused
        runtime?.pendingRunning = nil
        state = .running(reason)
        publish()
        emit(.resumed(Self.detail(of: reason)))
        scheduleSave()
    }

    static func detail(of reason: DomainState.Running) -> DomainEvent.Lifecycle.Resumed {
        switch reason {
        case .migrated: .migrated
        case .fromSnapshot, .restored: .fromSnapshot
        case .postcopy: .postcopy
        case .postcopyFailed: .postcopyFailed
        case .unknown, .booted, .unpaused, .migrationCanceled, .saveCanceled, .wakeup, .crashed: .unpaused
        }
    }

    private func watchdogFired(_ data: JSONValue) {
        let names = ["none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi"]
        let action = data["action"]?.string.flatMap { names.firstIndex(of: $0) } ?? 0
        if action == 1, state.kind == .running {
            state = .paused(.watchdog)
            publish()
            emit(.suspended(.watchdog))
            releaseLocksSoon()
            scheduleSave()
        }
        emit(.watchdog(action: Int32(action)))
    }

    private func guestSuspended(toDisk: Bool) {
        if state.kind == .running {
            state = .suspended
            publish()
            emit(.powerSuspended(toDisk ? .disk : .memory))
            scheduleSave()
        }
        emit(toDisk ? .suspendedToDisk : .suspendedToMemory)
    }

    private func guestWoke() {
        if state.kind == .suspended {
            state = .running(.wakeup)
            publish()
            emit(.started(.wakeup))
            scheduleSave()
        }
        emit(.wakeup)
    }

    private func guestPanicked(_ data: JSONValue) {
        guard state.kind != .crashed else { return }
        state = .crashed(.panicked)
        publish()
        emit(.crashed(.panicked))
        releaseLocksSoon()
        scheduleSave()
        switch live?.crashAction {
        case .destroy?, nil:
            runtime?.stopReason = .crashed
            runtime?.process?.kill(SIGTERM)
        case .restart?:
            let guest = generation
            runtime?.fakeReboot = true
            Task { await self.rebootGuest(guest) }
        case .preserve?: break
        }
    }
}

/// How long QEMU may take to answer.
enum MonitorTimeout {
    static let standard: Duration = .seconds(60)
    /// For numbers that a client is shown: a stuck guest does not delay the others.
    static let statistics: Duration = .seconds(5)
}
