import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// The guest's locks: held while its processors run.
extension DomainActor {
    /// Locks everything that the guest writes to, before its processors run. What is locked already stays so.
    func acquireLocks() async throws {
        guard case .daemon(let configuration) = driver.configuration.locks else { return }
        try await inLockTurn {
            guard let live = self.live, let runtime = self.runtime, !runtime.holdsLocks else { return }
            let locks = try await GuestLock.named(live.lockSubjects, configuration)
            try await self.acquire(locks)
            self.runtime?.holdsLocks = true
        }
    }

    /// Gives up everything: the guest's processors stand still, and somebody else may use its disks.
    func releaseLocks() async {
        guard case .daemon(let configuration) = driver.configuration.locks else { return }
        try? await inLockTurn {
            guard let live = self.live, let runtime = self.runtime, runtime.holdsLocks else { return }
            self.runtime?.holdsLocks = false
            do {
                await self.release(try await GuestLock.named(live.lockSubjects, configuration))
            } catch {
                Self.log.warning("Unable to release lease on \(self.name): \(error)")
            }
        }
    }

    /// The same from an event: whoever asks for the guest next waits for it.
    func releaseLocksSoon() {
        guard runtime?.holdsLocks == true else { return }
        Task { await self.releaseLocks() }
    }

    /// Locks one more device of a guest that holds its locks.
    func lock(_ subject: LockSubject?) async throws {
        guard let subject, case .daemon(let configuration) = driver.configuration.locks else { return }
        try await inLockTurn {
            guard self.runtime?.holdsLocks == true else { return }
            try await self.acquire(try await GuestLock.named([subject], configuration))
        }
    }

    func unlock(_ subject: LockSubject?) async {
        guard let subject, case .daemon(let configuration) = driver.configuration.locks else { return }
        try? await inLockTurn {
            guard self.runtime?.holdsLocks == true else { return }
            await self.release(try await GuestLock.named([subject], configuration))
        }
    }

    /// One change of the locks after the other: an event's does not overtake a call's.
    private func inLockTurn(_ body: @escaping () async throws -> Void) async throws {
        while isLocking {
            await withCheckedContinuation { lockWaiters.append($0) }
        }
        isLocking = true
        defer {
            isLocking = false
            if !lockWaiters.isEmpty { lockWaiters.removeFirst().resume() }
        }
        try await body()
    }

    private func lockOwner() throws -> LockOwner {
        let (_, runtime) = try running()
        return LockOwner(
            uuid: uuid, name: name, id: UInt32(bitPattern: runtime.id), pid: UInt32(bitPattern: runtime.pid))
    }

    /// All or none.
    private func acquire(_ locks: [GuestLock]) async throws {
        guard !locks.isEmpty else { return }
        let connection = try await LockConnection.open(driver, owner: try lockOwner(), loop: loop)
        defer { connection.close() }
        for (index, lock) in locks.enumerated() {
            do {
                try await connection.acquire(lock)
            } catch {
                await release(Array(locks[..<index]), through: connection)
                throw error
            }
        }
    }

    private func release(_ locks: [GuestLock]) async {
        guard !locks.isEmpty else { return }
        do {
            let connection = try await LockConnection.open(driver, owner: try lockOwner(), loop: loop)
            defer { connection.close() }
            await release(locks, through: connection)
        } catch {
            Self.log.warning("Unable to release lease on \(name): \(error)")
        }
    }

    private func release(_ locks: [GuestLock], through connection: LockConnection) async {
        for lock in locks {
            do {
                try await connection.release(lock)
            } catch {
                Self.log.warning("Unable to release lock on \(lock.name): \(error)")
            }
        }
    }

    /// Makes the connection that QEMU inherited the one that says that it lives.
    func bindLocks(_ plan: StartPlan) async throws {
        guard case .daemon(let configuration) = driver.configuration.locks, let socket = plan.lockSocket else { return }
        do {
            // Whether the guest may be started at all, as far as that depends on its definition.
            _ = try await GuestLock.named(plan.domain.lockSubjects, configuration)
        } catch let error as VirtError where error.code == .configUnsupported {
            throw LockFailure.beforeExec("Lock Driver", error)
        }
        try await LockConnection.bind(socket, to: try lockOwner(), loop: loop)
    }
}

/// libvirt's child process takes the connection, so that its errors come as QEMU's last words.
enum LockFailure {
    static func beforeExec(_ layer: String, _ error: VirtError) -> VirtError {
        VirtError(.internalError, .qemu, "Process exited prior to exec: libvirt: \(layer) error : \(error.message)")
    }
}
