import VirtCore
import VirtModel
import VirtRPC

/// A start that goes on from a snapshot.
struct SnapshotStart: Sendable {
    /// The snapshot whose memory QEMU loads; nil boots from what the images hold.
    var name: String?
    /// The processor as the user defined it.
    var originalCPU: CPU?
    /// What is told of the start.
    var events: [DomainEvent.Lifecycle] = []
}

/// virDomainRevertToSnapshot. As in libvirt 9.0 a guest that runs is ended, and another one takes its place.
extension DomainActor {
    func revert(to name: String, flags rawFlags: UInt32, _ client: ClientHandle) async throws {
        let flags = try SnapshotRevertFlags(rawFlags)
        try requireNoBlockJobs()
        try await withJob(.start, "virDomainRevertToSnapshot", client: client.id) {
            let snapshot = try self.snapshots.find(name)
            try self.checkRevert(snapshot, flags)
            do {
                switch snapshot.state {
                case .running?, .paused?: try await self.revertActive(snapshot, flags, client)
                case .shutdown?, .shutoff?, .crashed?: try await self.revertInactive(snapshot, flags, client)
                case .suspended?:
                    throw VirtError(
                        .operationUnsupported, .qemu,
                        "qemu doesn't support reversion of snapshot taken in PMSUSPENDED state")
                case .diskSnapshot?, .noState?, .blocked?, nil:
                    throw VirtError(
                        .internalError, .qemu,
                        "Invalid target domain state '\(snapshot.state?.rawValue ?? "nostate")'. Refusing snapshot"
                            + " reversion")
                }
            } catch {
                await self.removeIfGone()
                throw error
            }
        }
    }

    private func checkRevert(_ snapshot: Snapshot, _ flags: SnapshotRevertFlags) throws {
        let hasMemory = snapshot.state == .running || snapshot.state == .paused
        guard isPersistent || hasMemory || flags.runs || flags.pauses else {
            throw VirtError(
                .operationInvalid, .qemu,
                "transient domain needs to request run or pause to revert to inactive snapshot")
        }
        guard !snapshot.isExternal else {
            throw VirtError(.configUnsupported, .qemu, "revert to external snapshot not supported yet")
        }
        guard snapshot.domain != nil else {
            throw VirtError(
                .snapshotRevertRisky, .qemu, "snapshot '\(snapshot.name)' lacks domain '\(name)' rollback info")
        }
        guard flags.isForced || !hasManagedSave || hasMemory else {
            throw VirtError(
                .snapshotRevertRisky, .qemu,
                "snapshot without memory state, removal of existing managed saved state strongly recommended to"
                    + " avoid corruption")
        }
    }

    /// A transient domain whose guest did not come back is no more.
    private func removeIfGone() async {
        guard !isPersistent, runtime == nil else { return }
        await forgetAllSnapshots()
        removeFromRegistry()
    }

    /// A snapshot's definition under the name that the domain has now.
    private func named(_ domain: Domain) -> Domain {
        var domain = domain
        domain.name = name
        return domain
    }

    private func revertActive(
        _ snapshot: Snapshot, _ flags: SnapshotRevertFlags, _ client: ClientHandle
    ) async throws {
        guard let found = snapshot.domain else { throw removedError }
        if runtime != nil { await stopGuest(.fromSnapshot, event: .fromSnapshot, keepsDomain: true) }
        var definition = named(found)
        if isPersistent { config = named(snapshot.inactiveDomain ?? found) }
        var start = SnapshotStart(name: snapshot.name, events: [.started(.fromSnapshot)])
        if let cpu = snapshot.cookie?.cpu {
            start.originalCPU = definition.cpu
            definition.cpu = cpu
        }
        try await startGuest(definition, flags: StartFlags.paused | flags.start, client, from: start)
        if !flags.runs, snapshot.state == .paused || flags.pauses {
            state = .paused(.fromSnapshot)
            emit(.suspended(.fromSnapshot))
        } else {
            try await letRun(.fromSnapshot)
        }
        await saveStatus()
        try await finishRevert(to: snapshot.name)
    }

    private func revertInactive(
        _ snapshot: Snapshot, _ flags: SnapshotRevertFlags, _ client: ClientHandle
    ) async throws {
        if runtime != nil { await stopGuest(.fromSnapshot, event: .fromSnapshot, keepsDomain: true) }
        guard let then = snapshot.domain else { throw removedError }
        guard try await ImageSnapshots.revert(snapshot.name, of: then) else {
            throw VirtError(
                .operationFailed, .qemu, "not all disks could be reverted to snapshot '\(snapshot.name)'")
        }
        let definition = named(snapshot.inactiveDomain ?? then)
        if isPersistent { config = definition }
        if flags.runs || flags.pauses {
            var start = SnapshotStart(events: [.started(.fromSnapshot)])
            if flags.pauses { start.events.append(.suspended(.fromSnapshot)) }
            let pause = flags.pauses ? StartFlags.paused : 0
            try await startGuest(definition, flags: pause | flags.start, client, from: start)
        }
        try await finishRevert(to: snapshot.name)
    }

    /// The snapshot is the current one, and the persistent definition is the one from then.
    private func finishRevert(to name: String) async throws {
        await setCurrentSnapshot(name)
        do {
            try await writeMetadata(of: name)
        } catch {
            snapshots.current = nil
            publish()
            throw error
        }
        if let config {
            try await store(config)
            emit(.defined(.fromSnapshot))
        }
        publish()
    }
}

extension SnapshotRevertFlags {
    /// What a start is told.
    fileprivate var start: UInt32 { resetsNVRAM ? StartFlags.resetNVRAM : 0 }
}
