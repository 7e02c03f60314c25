import QEMUMonitor
import VirtCore
import VirtModel
import VirtRPC

/// Snapshots of a running guest inside its images: QEMU writes memory and disks at one go.
extension DomainActor {
    /// The guest stands still meanwhile.
    func createActiveInternal(_ snapshot: inout Snapshot, _ flags: SnapshotCreateFlags) async throws {
        try await checkMigratable()
        let resumes = state.kind == .running
        try await pauseGuest(.save)
        do {
            try await saveState(snapshot.name)
        } catch {
            if resumes { await resumeAfterSnapshot() }
            throw error
        }
        snapshot.cookie = snapshotCookie
        if flags.halts { return await haltForSnapshot() }
        guard resumes else { return }
        try await continueAfterSnapshot()
    }

    /// What the definition does not tell of the guest.
    var snapshotCookie: Snapshot.Cookie {
        var cookie = Snapshot.Cookie()
        cookie.cpu = live?.cpu
        cookie.hasSlirpHelper = true
        return cookie
    }

    /// QEMU says what keeps the guest's state from being written.
    func checkMigratable() async throws {
        let reasons = try await command("query-migrate")["blocked-reasons"]?.array ?? []
        guard let first = reasons.first?.string else { return }
        throw VirtError(.operationInvalid, .qemu, "cannot migrate domain: \(first)")
    }

    func continueAfterSnapshot() async throws {
        do {
            try await continueGuest(.unpaused)
        } catch {
            emit(.suspended(.apiError))
            throw error
        }
    }

    /// After a failure, whose error is worth more than one of this.
    func resumeAfterSnapshot() async {
        do {
            try await continueAfterSnapshot()
        } catch {
            Self.log.error("guest '\(name)' could not be resumed after a snapshot that failed: \(error)")
        }
    }

    /// VIR_DOMAIN_SNAPSHOT_CREATE_HALT.
    func haltForSnapshot() async {
        runtime?.stopReason = .fromSnapshot
        await stopGuest(.fromSnapshot, event: .fromSnapshot)
    }

    // MARK: Commands for humans: QEMU has no others that libvirt 9.0 uses

    private func saveState(_ name: String) async throws {
        let answer = try await human("savevm \(HumanCommand.quote(name))")
        if answer.contains("Error while creating snapshot") {
            throw VirtError(.operationFailed, .qemu, "Failed to take snapshot: \(answer)")
        }
        if answer.contains("No block device can accept snapshots") {
            throw VirtError(
                .operationInvalid, .qemu, "this domain does not have a device to take snapshots")
        }
        let failures = ["Could not open VM state file", "State blocked", "Error: "]
        if failures.contains(where: answer.contains)
            || (answer.contains("Error") && answer.contains("while writing VM"))
        {
            throw VirtError(.operationFailed, .qemu, answer)
        }
    }

    func deleteState(_ name: String) async throws {
        let answer = try await human("delvm \(HumanCommand.quote(name))")
        if answer.contains("No block device supports snapshots") {
            throw VirtError(
                .operationInvalid, .qemu, "this domain does not have a device to delete snapshots")
        }
        if answer.contains("Snapshots not supported on device") {
            throw VirtError(.operationInvalid, .qemu, answer)
        }
        if answer.contains("Error: ") {
            throw VirtError(.operationFailed, .qemu, "Failed to delete snapshot: \(answer)")
        }
    }

    /// Waits as long as QEMU takes: a large guest's memory is a matter of minutes.
    private func human(_ line: String) async throws -> String {
        guard let monitor = runtime?.monitor else {
            throw VirtError(.operationInvalid, .domain, "domain is not running")
        }
        return try await monitor.executeHuman(line)
    }
}

/// Words of QEMU's human monitor.
enum HumanCommand {
    /// A word in quotes, so that it can hold anything.
    static func quote(_ word: String) -> String {
        var quoted = "\""
        for character in word.unicodeScalars {
            switch character {
            case "\r": quoted += "\\r"
            case "\n": quoted += "\\n"
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            default: quoted.unicodeScalars.append(character)
            }
        }
        return quoted + "\""
    }
}
