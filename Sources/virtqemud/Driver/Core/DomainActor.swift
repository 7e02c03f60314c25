import Synchronization
import VirtCore
import VirtModel
import VirtOS
import VirtRPC
import VirtWire

/// One domain: its definition, its guest if one runs, and the jobs that change them. Isolated to one event loop, the same
/// as its guest's monitor.
///
/// Everything that changes the domain runs under its job (`withJob`); after each change `publish()` makes a new snapshot,
/// from which all reading calls are answered.
actor DomainActor {
    nonisolated let uuid: UUID
    nonisolated let driver: QEMUDriver
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    var name: String
    /// The definitions, each in a box that the snapshots share: a definition takes kilobytes wherever it is held.
    private var definition: PersistentDefinition?
    private var liveBox: SharedDomain?
    /// The persistent definition. One that is set stays in memory whole; `keep` knows its text as well.
    var config: Domain? {
        get { definition?.model }
        set { definition = newValue.map { PersistentDefinition($0, print: nil, recent: driver.recentDefinitions) } }
    }
    var live: Domain? {
        get { liveBox?.value }
        set { liveBox = newValue.map(SharedDomain.init) }
    }
    var state = DomainState.shutoff(.unknown)
    var runtime: GuestRuntime?
    /// Mebibytes per second that a migration may take: as fast as can be said until somebody says otherwise.
    var migrationSpeed: UInt64 = UInt64(Int64.max) >> 20
    var hasAutostart = false
    var hasManagedSave = false
    var descriptorGroups = DescriptorGroups()
    var snapshots = SnapshotTree()
    /// The client whose leaving ends the guest.
    var autodestroyClient: ClientHandle?
    /// Nobody may use the domain any more.
    var isRemoved = false
    var jobs = JobQueue()
    /// The monitor said its last word.
    var monitorEnded = false
    var monitorEndWaiters: [CheckedContinuation<Void, Never>] = []
    var checkpoints = CheckpointList()
    /// The last job of the domain's own that ended, until somebody asks for it.
    var completedJob: JobStatistics?
    /// Calls that wait for what QEMU reports of a block job.
    var blockJobWaiters: [CheckedContinuation<Void, Never>] = []
    /// A save of the status file is on its way.
    var isSaveScheduled = false
    /// The status file is being written; the next write, and its removal, wait for that.
    var statusWrite: Task<Void, any Error>?
    /// The guest's locks are being changed, and who waits for that.
    var isLocking = false
    var lockWaiters: [CheckedContinuation<Void, Never>] = []
    /// The guest is being given up: its status is not written any more.
    var isEnding = false
    /// Counts guests, so that what comes late from one does not touch the next.
    var generation: UInt64 = 0

    nonisolated static let log = Logger("qemu.domain")

    init(_ domain: Domain, isPersistent: Bool, driver: QEMUDriver) {
        uuid = domain.identity
        name = domain.name
        self.driver = driver
        loop = driver.loops.next()
        if isPersistent {
            definition = PersistentDefinition(domain, print: nil, recent: driver.recentDefinitions)
        } else {
            liveBox = SharedDomain(domain)
        }
    }

    /// A domain as it lies on disk.
    init(_ loaded: LoadedDefinition, driver: QEMUDriver) {
        uuid = loaded.uuid
        name = loaded.name
        self.driver = driver
        loop = driver.loops.next()
        definition = loaded.definition
        hasAutostart = loaded.isAutostart
        hasManagedSave = loaded.hasManagedSave
    }

    var isPersistent: Bool { definition != nil }

    /// Makes a definition the persistent one; `text` is its print.
    func keep(_ domain: Domain, text: [UInt8]) {
        let context = (try? driver.emulator(of: domain)).flatMap { driver.completions.known($0) }
        let source = context.map { PersistentDefinition.Source(text: text, context: $0) }
        definition = PersistentDefinition(domain, print: source, recent: driver.recentDefinitions)
    }

    /// Takes over what was on disk.
    func adopt(_ loaded: LoadedDefinition) {
        definition = loaded.definition
        hasAutostart = loaded.isAutostart
        hasManagedSave = loaded.hasManagedSave
        publish()
    }

    // MARK: Snapshots

    /// The domain as it is now.
    func makeSnapshot() -> DomainSnapshot {
        DomainSnapshot(
            uuid: uuid, name: name, state: state, hasAutostart: hasAutostart, hasManagedSave: hasManagedSave,
            live: liveBox, config: definition, snapshots: snapshots, runtime: runtime,
            job: jobs.holder, checkpoints: checkpoints)
    }

    /// Lets everybody see the domain as it is now.
    func publish() {
        guard !isRemoved else { return }
        driver.registry.publish(makeSnapshot())
    }

    /// The domain on the wire.
    var handle: RemoteNonnullDomain { RemoteNonnullDomain(name: name, uuid: uuid, id: runtime?.id ?? -1) }

    /// Tells everybody who listens.
    func emit(_ kind: DomainEvent.Kind) {
        driver.events.publish(DomainEvent(domain: handle, kind: kind))
    }

    func emit(_ lifecycle: DomainEvent.Lifecycle) { emit(.lifecycle(lifecycle)) }

    // MARK: Jobs

    /// Runs `body` when no other job changes the domain. Waits at most 30 seconds for its turn (error 68).
    func withJob<T: Sendable>(
        _ kind: JobKind, _ api: String, client: UInt64? = nil, _ body: () async throws -> T
    ) async throws -> T {
        try await beginJob(kind, api, client: client)
        defer { endJob() }
        guard !isRemoved else { throw removedError }
        return try await body()
    }

    /// Takes the job, after waiting for the one that has it.
    func beginJob(_ kind: JobKind, _ api: String, client: UInt64? = nil) async throws {
        if jobs.tryBegin(kind, api, client: client) { return }
        let ticket = jobs.newTicket()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
                let timer = loop.schedule(after: JobQueue.timeout, name: "job") { [weak self] in
                    self?.assumeIsolated { $0.jobs.abandon(ticket, $0.jobs.timeoutError) }
                }
                jobs.enqueue(ticket, kind, api, client: client, continuation, timer: timer)
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.jobs.abandon(ticket, CancellationError()) } }
        }
    }

    func endJob() { jobs.end() }

    var removedError: VirtError {
        VirtError(.noDomain, .qemu, "no domain with matching uuid '\(uuid)' (\(name))")
    }

    // MARK: What callers ask for again and again

    /// The running guest, or error 55.
    func running() throws -> (domain: Domain, runtime: GuestRuntime) {
        guard let live, let runtime, state.isActive else {
            throw VirtError(.operationInvalid, .domain, "domain is not running")
        }
        return (live, runtime)
    }

    /// The persistent definition, or error 55.
    func persistent(_ what: String) throws -> Domain {
        guard let config else {
            throw VirtError(.operationInvalid, .qemu, "cannot \(what) transient domain")
        }
        return config
    }

    /// Leaves the registry for good.
    func removeFromRegistry() {
        isRemoved = true
        driver.registry.remove(uuid)
    }
}
