import Glibc
import VirtCore
import VirtDaemon
import VirtOS
import VirtWire

extension LogStore {
    /// Bytes of one guest that are moved before another's turn: what an ordinary pipe holds.
    private static let bytesPerTurn = 65_536
    /// How long to wait before a full or broken disk is tried again.
    private static let retryDelay = Duration.seconds(1)
    /// How long a line may take to become whole before it is looked at again.
    private static let lineDelay = Duration.milliseconds(50)

    /// Takes up a log that an earlier process of the service, or an earlier program of this one, had open. Its file may
    /// be out of reach for now.
    func takeUp(_ facts: StoredLog, _ pipe: DescriptorBox) {
        do throws(VirtError) {
            guard logs[facts.path] == nil else { throw .system(EBUSY, .none, "Cannot open log file: '\(facts.path)'") }
            try pipe.descriptor.setNonBlocking(true)
            try add(OpenLog(facts: facts, pipe: pipe, file: file(facts.path), lines: lines(facts.domain)))
            log.info("log '\(facts.path)' of domain '\(facts.domain.name)' is taken up again")
        } catch {
            log.error("log '\(facts.path)' of domain '\(facts.domain.name)' cannot be taken up: \(error.message)")
            facts.forget(notify)
        }
    }

    func add(_ open: OpenLog) throws(VirtError) {
        var open = open
        open.watch = try watch(open)
        logs[open.facts.path] = open
        inhibitor.hold("open log files")
    }

    func watch(_ open: OpenLog) throws(VirtError) -> Watch {
        let path = open.facts.path
        return try loop.watch(open.pipe.rawValue, [.read], name: "log pipe") { [weak self] _ in
            self?.assumeIsolated { $0.ready(path) }
        }
    }

    /// A guest wrote, or is gone.
    private func ready(_ path: String) {
        guard let open = logs[path], !isSuspended else { return }
        do {
            let moved = try move(open, Self.bytesPerTurn)
            if open.isFailing {
                log.warning("domain '\(open.facts.domain.name)': its log '\(path)' is written again")
                logs[path]?.isFailing = false
            }
            guard moved.moved == 0 else { return }
            if moved.isWaiting {
                pause(open, for: Self.lineDelay)
            } else if isAtEnd(open.pipe) {
                close(path)
            }
        } catch {
            suspend(path, error)
        }
    }

    /// Takes what waits in a pipe to its file.
    private func move(_ open: OpenLog, _ limit: Int) throws(VirtError) -> LineLog.Outcome {
        let pipe = open.pipe.rawValue
        // What a guest writes meanwhile is another turn's: who writes fast has no more of a turn than the others.
        let limit = min(limit, try ScratchPipe.waiting(in: pipe))
        guard let lines = open.lines else {
            return LineLog.Outcome(moved: try open.file.take(from: pipe, limit: limit, scratch: scratch))
        }
        return try lines.take(
            from: pipe, into: open.file, limit: limit, isEnding: hasLostWriter(open.pipe), scratch: scratch)
    }

    private func hasLostWriter(_ pipe: DescriptorBox) -> Bool {
        var entry = pollfd(fd: pipe.rawValue, events: 0, revents: 0)
        return unsafe poll(&entry, 1, 0) == 1 && Int32(entry.revents) & Int32(POLLHUP | POLLERR) != 0
    }

    /// Whether a pipe that has nothing to read has lost its last writer.
    private func isAtEnd(_ pipe: DescriptorBox) -> Bool {
        var entry = pollfd(fd: pipe.rawValue, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&entry, 1, 0) == 1 else { return false }
        return Int32(entry.revents) & Int32(POLLIN) == 0 && Int32(entry.revents) & Int32(POLLHUP | POLLERR) != 0
    }

    /// Writes what waits: no more than a pipe holds, however fast the guest goes on.
    func drain(_ open: OpenLog) throws(VirtError) {
        try open.file.open()
        _ = try move(open, .max)
    }

    /// The disk refuses: the pipe keeps what it holds, and the guest waits once it is full. Tried again until it works.
    func suspend(_ path: String, _ error: VirtError) {
        guard let open = logs[path] else { return }
        if !open.isFailing {
            log.error(
                "domain '\(open.facts.domain.name)': \(error.message); its output waits until it can be written")
        }
        logs[path]?.isFailing = true
        pause(open, for: Self.retryDelay)
    }

    /// Looks at a pipe again after a while.
    private func pause(_ open: OpenLog, for delay: Duration) {
        open.watch?.update([])
        loop.schedule(after: delay, name: "log retry") { [weak self, path = open.facts.path, watch = open.watch] in
            self?.assumeIsolated { store in
                guard let watch, store.logs[path]?.watch === watch else { return }
                watch.update([.read])
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
