import Glibc
import VirtCore
import VirtDaemon
import VirtOS
import VirtWire

private let log = Logger("log.handler")

/// The open logs: takes what guests write into their pipes to the files. On a loop of its own choice.
actor LogStore {
    /// Bytes of one guest that are moved before another's turn.
    private static let bytesPerTurn = 262_144
    /// How long to wait before a full or broken disk is tried again.
    private static let retryDelay = Duration.seconds(1)

    /// One guest's log: its pipe and its file.
    private struct OpenLog {
        let facts: StoredLog
        let pipe: DescriptorBox
        let file: RotatingLog
        var watch: Watch?
        var isFailing = false
    }

    private nonisolated let loop: EventLoop
    private let policy: RotationPolicy
    private let inhibitor: Inhibitor
    private let notify: SystemdNotify
    private let scratch: ScratchPipe
    private var logs: [String: OpenLog] = [:]
    private var lastNumber: UInt64 = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    init(_ context: DaemonContext, policy: RotationPolicy) throws(VirtError) {
        loop = context.loops.next()
        inhibitor = context.inhibitor
        notify = context.notify
        self.policy = policy
        scratch = try ScratchPipe()
    }

    // MARK: The program's calls

    /// Opens a guest's log and returns the position and the end of the pipe that the guest writes to.
    func open(_ arguments: LogDomainOpenLogFileArgs) throws(VirtError) -> (LogLogFilePosition, DescriptorBox) {
        guard arguments.flags & ~1 == 0 else { throw Self.unsupported(arguments.flags & ~1) }
        guard logs[arguments.path] == nil else {
            throw .system(EBUSY, .none, "Cannot open log file: '\(arguments.path)'")
        }
        let file = try RotatingLog(path: arguments.path, policy: policy, truncate: arguments.flags & 1 != 0)
        let pipe = try OwnedDescriptor.pipe(nonBlocking: false)
        try pipe.reading.descriptor.setNonBlocking(true)
        lastNumber += 1
        let facts = StoredLog(
            number: lastNumber, driver: arguments.driver, domain: arguments.dom, path: arguments.path)
        try add(OpenLog(facts: facts, pipe: pipe.reading, file: file))
        try facts.keep(pipe.reading, notify)
        return (position(file), pipe.writing)
    }

    /// Where a guest's log ends now; what waits in its pipe is written first.
    func position(_ path: String) throws(VirtError) -> LogLogFilePosition {
        guard let open = logs[path] else {
            throw VirtError(.internalError, .none, "No open log file \(path)")
        }
        try drain(open)
        return position(open.file)
    }

    /// Appends a message of the daemon that runs the guest.
    func append(_ message: String, to path: String) throws(VirtError) {
        if let open = logs[path] {
            try drain(open)
            try open.file.append(Array(message.utf8))
        } else {
            try RotatingLog(path: path, policy: policy).append(Array(message.utf8))
        }
    }

    private static func unsupported(_ flags: UInt32) -> VirtError {
        VirtError(.invalidArg, .none, "unsupported flags (0x\(String(flags, radix: 16)))")
    }

    private func position(_ file: RotatingLog) -> LogLogFilePosition {
        LogLogFilePosition(inode: file.inode, offset: file.offset)
    }

    // MARK: Pipes

    /// Takes up the logs that an earlier process of the service had open.
    func restore(_ stored: [(log: StoredLog, pipe: DescriptorBox)]) {
        for (facts, pipe) in stored {
            lastNumber = max(lastNumber, facts.number)
            do {
                try add(OpenLog(facts: facts, pipe: pipe, file: try RotatingLog(path: facts.path, policy: policy)))
                log.info("log '\(facts.path)' of domain '\(facts.domain.name)' is taken up again")
            } catch {
                log.error("log '\(facts.path)' cannot be taken up: \(error.message)")
                facts.forget(notify)
            }
        }
    }

    private func add(_ open: OpenLog) throws(VirtError) {
        let path = open.facts.path
        var open = open
        open.watch = try loop.watch(open.pipe.rawValue, [.read], name: "log pipe") { [weak self] _ in
            self?.assumeIsolated { $0.ready(path) }
        }
        logs[path] = open
        inhibitor.hold("open log files")
    }

    /// A guest wrote, or is gone.
    private func ready(_ path: String) {
        guard let open = logs[path] else { return }
        do {
            let moved = try open.file.take(from: open.pipe.rawValue, limit: Self.bytesPerTurn, scratch: scratch)
            if open.isFailing {
                log.info("log '\(path)' of domain '\(open.facts.domain.name)' is written again")
                logs[path]?.isFailing = false
            }
            if moved == 0, isAtEnd(open.pipe) { close(path) }
        } catch {
            suspend(path, error)
        }
    }

    /// Whether a pipe that has nothing to read has lost its last writer.
    private func isAtEnd(_ pipe: DescriptorBox) -> Bool {
        var entry = pollfd(fd: pipe.rawValue, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&entry, 1, 0) == 1 else { return false }
        return Int32(entry.revents) & Int32(POLLIN) == 0 && Int32(entry.revents) & Int32(POLLHUP | POLLERR) != 0
    }

    private func drain(_ open: OpenLog) throws(VirtError) {
        // A guest that writes without end must not hold up the answer: one pipe's worth is what waits now.
        _ = try open.file.take(from: open.pipe.rawValue, limit: 1 << 20, scratch: scratch)
    }

    /// The disk refuses: the pipe keeps what it holds, and the guest waits once it is full. Tried again until it works.
    private func suspend(_ path: String, _ error: VirtError) {
        guard let open = logs[path] else { return }
        if !open.isFailing {
            log.error("domain '\(open.facts.domain.name)': \(error.message); output waits until it can be written")
        }
        logs[path]?.isFailing = true
        open.watch?.update([])
        loop.schedule(after: Self.retryDelay) { [weak self] in
            self?.assumeIsolated { store in
                store.logs[path]?.watch?.update([.read])
            }
        }
    }

    private func close(_ path: String) {
        guard let open = logs.removeValue(forKey: path) else { return }
        open.watch?.cancel()
        open.facts.forget(notify)
        inhibitor.release("open log files")
    }
}
