import Glibc
import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC

/// Pausing, resuming, resetting and asking the guest to end.
extension DomainActor {
    private var monitor: QEMUMonitor {
        get throws {
            guard let monitor = runtime?.monitor else {
                throw VirtError(.operationInvalid, .domain, "domain is not running")
            }
            return monitor
        }
    }

    /// virDomainSuspend. A guest that is paused already stays so.
    func suspend(_ client: ClientHandle) async throws {
        _ = try running()
        try await withJob(.suspend, "virDomainSuspend", client: client.id) {
            _ = try self.running()
            if self.state.kind == .suspended {
                throw VirtError(.operationInvalid, .qemu, "domain is pmsuspended")
            }
            guard self.state.kind != .paused else { return }
            self.runtime?.pendingPause = .user
            try await self.monitor.execute("stop", timeout: MonitorTimeout.standard)
            self.runtime?.pendingPause = nil
            await self.releaseLocks()
            await self.saveStatus()
        }
    }

    /// virDomainResume.
    func resume(_ client: ClientHandle) async throws {
        _ = try running()
        try await withJob(.modify, "virDomainResume", client: client.id) {
            _ = try self.running()
            switch self.state.kind {
            case .suspended: throw VirtError(.operationInvalid, .qemu, "domain is pmsuspended")
            case .running: throw VirtError(.operationInvalid, .qemu, "domain is already running")
            case .none, .blocked, .paused, .shutdown, .shutoff, .crashed: break
            }
            if self.state == .crashed(.panicked) {
                throw VirtError(.operationInvalid, .qemu, "domain is crashed")
            }
            try await self.resumeProcessors(.unpaused)
            self.runtime?.pendingRunning = nil
            await self.saveStatus()
        }
    }

    /// virDomainReset.
    func reset(_ client: ClientHandle) async throws {
        _ = try running()
        try await withJob(.modify, "virDomainReset", client: client.id) {
            _ = try self.running()
            try await self.monitor.execute("system_reset", timeout: MonitorTimeout.standard)
            self.runtime?.fakeReboot = false
            if self.state == .crashed(.panicked) { self.state = .paused(.crashed) }
            self.publish()
        }
    }

    /// virDomainPMWakeup.
    func wakeup(_ client: ClientHandle) async throws {
        _ = try running()
        try await withJob(.modify, "virDomainPMWakeup", client: client.id) {
            _ = try self.running()
            try await self.monitor.execute("system_wakeup", timeout: MonitorTimeout.standard)
        }
    }

    /// The ways to ask a guest: ACPI 1, guest agent 2, initctl 4, signal 8, paravirt 16.
    private enum Way {
        static let acpi: UInt32 = 1
        static let agent: UInt32 = 2
        static let known: UInt32 = 3
    }

    /// virDomainShutdownFlags: by the agent when it is asked for, else by the power button.
    func shutdown(flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(Way.known, "qemuDomainShutdownFlags")
        try await pressPowerButton(flags, "virDomainShutdownFlags", reboots: false, client)
    }

    /// virDomainReboot: the power button, and the guest is reset when it is off.
    func reboot(flags: UInt32, _ client: ClientHandle) async throws {
        try flags.checkFlags(Way.known, "qemuDomainReboot")
        try await pressPowerButton(flags, "virDomainReboot", reboots: true, client)
    }

    private func pressPowerButton(
        _ flags: UInt32, _ api: String, reboots: Bool, _ client: ClientHandle
    ) async throws {
        guard runtime != nil else {
            throw VirtError(.operationInvalid, reboots ? .domain : .qemu, "domain is not running")
        }
        if flags & Way.agent != 0, flags & Way.acpi == 0 { throw AgentRules.refusal(makeSnapshot()) }
        try await withJob(.modify, api, client: client.id) {
            let (domain, _) = try self.running()
            // A guest that restarts on power off is not reset twice.
            self.runtime?.fakeReboot = reboots && !domain.restartsOnPowerOff
            await self.saveStatus()
            try await self.monitor.execute("system_powerdown", timeout: MonitorTimeout.standard)
        }
    }
}
