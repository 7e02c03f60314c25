import Glibc
import QEMUMonitor
import VirtCore
import VirtModel
import VirtOS
import VirtRPC

/// virDomainSnapshotCreateXML.
extension DomainActor {
    /// Makes a snapshot, or takes in the description of one that exists.
    ///
    /// - Returns: the snapshot's name.
    func createSnapshot(_ xml: String, flags rawFlags: UInt32, _ client: ClientHandle) async throws -> String {
        let flags = try SnapshotCreateFlags(rawFlags)
        guard isPersistent || !flags.halts else {
            throw VirtError(.operationInvalid, .qemu, "cannot halt after transient domain snapshot")
        }
        if flags.isValidated { try await SchemaValidation.check(xml, schema: "domainsnapshot") }
        let options = Snapshot.ParseOptions(
            isRedefinition: flags.isRedefinition, isOffline: flags.isDiskOnly || runtime == nil)
        var snapshot = try Snapshot.parse(xml.utf8, options)
        if flags.isRedefinition {
            try await completeDefinitions(of: &snapshot)
        } else {
            snapshot.complete(now: WallClock.seconds)
        }
        let definition = snapshot
        return try await withJob(.modify, "virDomainSnapshotCreateXML", client: client.id) {
            try self.check(definition, flags)
            if flags.isRedefinition {
                return try await self.redefine(definition, flags)
            }
            return try await self.create(definition, flags)
        }
    }

    /// What a snapshot's name and the guest's state allow.
    private func check(_ snapshot: Snapshot, _ flags: SnapshotCreateFlags) throws {
        if !flags.hasNoMetadata { try Self.checkFileName(snapshot.name) }
        guard !flags.isLive || (runtime != nil && snapshot.memory.location == .external) else {
            throw VirtError(
                .operationUnsupported, .qemu,
                "live snapshot creation is supported only during full system snapshots")
        }
        let present = flags.isRedefinition ? snapshot.state ?? .noState : state.ofSnapshot
        switch present {
        case .running, .paused, .shutdown, .shutoff, .crashed: return
        case .diskSnapshot where flags.isRedefinition: return
        case .suspended:
            throw VirtError(
                .operationUnsupported, .qemu, "qemu doesn't support taking snapshots of PMSUSPENDED guests")
        case .noState, .blocked, .diskSnapshot:
            throw VirtError(.internalError, .qemu, "Invalid domain state \(present.rawValue)")
        }
    }

    /// The name is that of the file that describes the snapshot.
    private static func checkFileName(_ name: String) throws(VirtError) {
        guard !name.utf8.contains(UInt8(ascii: "/")) else {
            throw VirtError(
                code: .xmlDetail, domain: .qemu,
                verbatim: "invalid snapshot name '\(name)': name can't contain '/'")
        }
        guard !name.hasPrefix(".") else {
            throw VirtError(
                code: .xmlDetail, domain: .qemu,
                verbatim: "invalid snapshot name '\(name)': name can't start with '.'")
        }
    }

    // MARK: Redefinition

    private func redefine(_ definition: Snapshot, _ flags: SnapshotCreateFlags) async throws -> String {
        var snapshot = definition
        try snapshots.checkParent(of: snapshot)
        let other = snapshots[name: snapshot.name]
        try snapshot.validateRedefinition(of: other, domain: uuid, isDiskOnly: flags.isDiskOnly)
        try await align(&snapshot, existing: other?.domain, standard: snapshot.standardLocation)
        if snapshot.domain == nil { snapshot.domain = other?.domain }
        snapshots.put(snapshot)
        if flags.isCurrent { await setCurrentSnapshot(snapshot.name) }
        do {
            try await writeMetadata(of: snapshot.name)
        } catch {
            snapshots.remove(snapshot.name)
            publish()
            throw VirtError(
                .internalError, .qemu, "unable to save metadata for snapshot \(snapshot.name)")
        }
        publish()
        return snapshot.name
    }

    private func align(
        _ snapshot: inout Snapshot, existing: Domain?, standard: Snapshot.Location
    ) async throws {
        let found = snapshot
        snapshot = try await BlockingPool.shared.run {
            var snapshot = found
            try snapshot.alignDisks(existing: existing, standard: standard, isRegularFile: Self.isRegularFile)
            return snapshot
        }
    }

    private static func isRegularFile(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    // MARK: Creation

    private func create(_ definition: Snapshot, _ flags: SnapshotCreateFlags) async throws -> String {
        var snapshot = definition
        snapshot.uuid = uuid
        try await describe(&snapshot)
        let standard = try settleState(&snapshot, flags)
        try await align(&snapshot, existing: nil, standard: standard)
        try await checkRules(&snapshot, flags)
        snapshot.parent = snapshots.current
        guard snapshots[name: snapshot.name] == nil else {
            throw VirtError(.operationFailed, .domain, "domain moment \(snapshot.name) already exists")
        }
        if runtime != nil {
            if flags.isDiskOnly || snapshot.memory.location == .external {
                try await createActiveExternal(&snapshot, flags)
            } else {
                try await createActiveInternal(&snapshot, flags)
            }
        } else if snapshot.disks.contains(where: { $0.location == .external }) {
            try await createInactiveExternal(snapshot, reusesImages: flags.reusesImages)
        } else if let domain = config {
            try await ImageSnapshots.create(snapshot.name, of: domain)
        }
        if !flags.hasNoMetadata { try await remember(snapshot) }
        publish()
        return snapshot.name
    }

    /// The snapshot is made: a description that can't be written is an error all the same.
    private func remember(_ snapshot: Snapshot) async throws {
        try snapshots.add(snapshot)
        await setCurrentSnapshot(snapshot.name)
        do {
            try await writeMetadata(of: snapshot.name)
        } catch {
            Self.log.error("cannot describe snapshot '\(snapshot.name)' of '\(name)': \(error)")
            snapshots.remove(snapshot.name)
            publish()
            throw VirtError(.internalError, .qemu, "unable to save metadata for snapshot \(snapshot.name)")
        }
    }

    /// Puts the guest's definitions into the snapshot.
    private func describe(_ snapshot: inout Snapshot) async throws {
        guard let present = live ?? config else { throw removedError }
        var domain = try Domain.parse(try savedDocument(present))
        try await driver.complete(&domain, isNew: false)
        snapshot.domain = domain
        snapshot.inactiveDomain = runtime == nil ? nil : config
    }

    /// Notes what the guest does, and where its memory goes.
    ///
    /// - Returns: where disks go of which nobody says anything.
    private func settleState(_ snapshot: inout Snapshot, _ flags: SnapshotCreateFlags) throws -> Snapshot.Location {
        if flags.isDiskOnly {
            snapshot.state = runtime == nil ? .shutoff : .diskSnapshot
            snapshot.memory = .init(.no)
            return .external
        }
        snapshot.state = state.ofSnapshot
        if snapshot.memory.location == .external { return .external }
        guard runtime == nil || snapshot.memory.location != .no else {
            throw VirtError(
                .operationUnsupported, .qemu, "internal snapshot of a running VM must include the memory state")
        }
        snapshot.memory = .init(snapshot.state == .shutoff ? .no : .internal)
        return .internal
    }

    private func checkRules(_ snapshot: inout Snapshot, _ flags: SnapshotCreateFlags) async throws {
        guard let present = live ?? config else { throw removedError }
        for (own, disk) in zip(snapshot.disks, present.devices.disks) where own.location != .no {
            try requireIdle(disk)
        }
        let rules = SnapshotRules(isActive: runtime != nil, reusesImages: flags.reusesImages, domain: present)
        let found = snapshot
        snapshot = try await BlockingPool.shared.run {
            var snapshot = found
            try rules.check(&snapshot)
            return snapshot
        }
    }
}

extension DomainState {
    /// The word that a snapshot has for the state.
    var ofSnapshot: Snapshot.State {
        switch kind {
        case .none: .noState
        case .running: .running
        case .blocked: .blocked
        case .paused: .paused
        case .shutdown: .shutdown
        case .shutoff: .shutoff
        case .crashed: .crashed
        case .suspended: .suspended
        }
    }
}
