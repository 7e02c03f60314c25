import Glibc
import VirtCore
import VirtDaemon
import VirtOS
import VirtWire

let log = Logger("log.handler")

/// The open logs: takes what guests write into their pipes to the files. On a loop of its own choice.
actor LogStore {
    /// One guest's log: its pipe and its file.
    struct OpenLog {
        let facts: StoredLog
        let pipe: DescriptorBox
        let file: RotatingLog
        var watch: Watch?
        /// What waits is not written, because the disk refuses.
        var isFailing = false
    }

    nonisolated let loop: EventLoop
    let policy: RotationPolicy
    let inhibitor: Inhibitor
    let notify: SystemdNotify
    let scratch: ScratchPipe
    var logs: [String: OpenLog] = [:]
    /// Another program is about to take over the pipes.
    var isSuspended = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    init(_ context: DaemonContext, policy: RotationPolicy) throws(VirtError) {
        loop = context.loops.next()
        inhibitor = context.inhibitor
        notify = context.notify
        self.policy = policy
        scratch = try ScratchPipe()
    }

    /// Opens a guest's log and returns the position and the end of the pipe that the guest writes to.
    func open(_ arguments: LogDomainOpenLogFileArgs) throws(VirtError) -> (LogLogFilePosition, DescriptorBox) {
        guard arguments.flags & ~1 == 0 else { throw Self.unsupported(arguments.flags & ~1) }
        guard logs[arguments.path] == nil else {
            throw .system(EBUSY, .none, "Cannot open log file: '\(arguments.path)'")
        }
        let file = RotatingLog(path: arguments.path, policy: policy)
        if arguments.flags & 1 != 0 { try file.removeAll() }
        try file.open()
        let pipe = try OwnedDescriptor.pipe(nonBlocking: false)
        try pipe.reading.descriptor.setNonBlocking(true)
        let facts = try StoredLog(
            of: pipe.reading, driver: arguments.driver, domain: arguments.dom, path: arguments.path)
        try facts.keep(pipe.reading, notify)
        do throws(VirtError) {
            try add(OpenLog(facts: facts, pipe: pipe.reading, file: file))
        } catch {
            facts.forget(notify)
            throw error
        }
        return (position(file), pipe.writing)
    }

    /// Where a guest's log ends now; what waits in its pipe is written first.
    func position(_ path: String, flags: UInt32) throws(VirtError) -> LogLogFilePosition {
        guard flags == 0 else { throw Self.unsupported(flags) }
        guard let open = logs[path] else {
            throw VirtError(.internalError, .none, "No open log file \(path)")
        }
        do throws(VirtError) {
            try drain(open)
        } catch {
            // What cannot be written yet has no place yet.
            suspend(path, error)
        }
        return position(open.file)
    }

    /// Appends a message of the daemon that runs the guest.
    func append(_ message: String, to path: String, flags: UInt32) throws(VirtError) {
        guard flags == 0 else { throw Self.unsupported(flags) }
        if let open = logs[path] {
            try drain(open)
            try open.file.append(Array(message.utf8))
        } else {
            try RotatingLog(path: path, policy: policy).append(Array(message.utf8))
        }
    }

    static func unsupported(_ flags: UInt32) -> VirtError {
        VirtError(.invalidArg, .none, "unsupported flags (0x\(String(flags, radix: 16)))")
    }

    private func position(_ file: RotatingLog) -> LogLogFilePosition {
        LogLogFilePosition(inode: file.inode, offset: file.offset)
    }
}
