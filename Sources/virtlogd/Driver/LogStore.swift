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
        /// Writes lines instead of moving bytes.
        let lines: LineLog?
        var watch: Watch?
        /// What waits is not written, because the disk refuses.
        var isFailing = false
    }

    nonisolated let loop: EventLoop
    let settings: LogSettings
    let inhibitor: Inhibitor
    let notify: SystemdNotify
    let scratch: ScratchPipe
    var logs: [String: OpenLog] = [:]
    /// Another program is about to take over the pipes.
    var isSuspended = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    init(_ context: DaemonContext, settings: LogSettings) throws(VirtError) {
        loop = context.loops.next()
        inhibitor = context.inhibitor
        notify = context.notify
        self.settings = settings
        scratch = try ScratchPipe()
    }

    /// Some turns' worth of output.
    private static let pipeSize: Int32 = 262_144
    /// F_SETPIPE_SZ of fcntl(2), which the C library shows only to GNU programs.
    private static let setPipeSize: Int32 = 1031

    /// Opens a guest's log and returns the position and the end of the pipe that the guest writes to.
    func open(_ arguments: LogDomainOpenLogFileArgs) throws(VirtError) -> (LogLogFilePosition, DescriptorBox) {
        guard arguments.flags & ~1 == 0 else { throw Self.unsupported(arguments.flags & ~1) }
        guard logs[arguments.path] == nil else {
            throw .system(EBUSY, .none, "Cannot open log file: '\(arguments.path)'")
        }
        let file = file(arguments.path)
        if arguments.flags & 1 != 0 { try file.removeAll() }
        try file.open()
        let pipe = try OwnedDescriptor.pipe(nonBlocking: false)
        // A guest that writes fast does not wait for its turn so often. Where the kernel refuses, the pipe is as it is.
        _ = fcntl(pipe.writing.rawValue, Self.setPipeSize, Self.pipeSize)
        try pipe.reading.descriptor.setNonBlocking(true)
        let facts = try StoredLog(
            of: pipe.reading, driver: arguments.driver, domain: arguments.dom, path: arguments.path)
        try facts.keep(pipe.reading, notify)
        do throws(VirtError) {
            try add(OpenLog(facts: facts, pipe: pipe.reading, file: file, lines: lines(facts.domain)))
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
    func append(_ arguments: LogDomainAppendLogFileArgs) throws(VirtError) {
        guard arguments.flags == 0 else { throw Self.unsupported(arguments.flags) }
        let open = logs[arguments.path]
        if let open { try drain(open) }
        let file = open?.file ?? file(arguments.path)
        if let lines = lines(arguments.dom) {
            try lines.append(arguments.message, to: file)
        } else {
            try file.append(Array(arguments.message.utf8))
        }
    }

    func file(_ path: String) -> RotatingLog {
        RotatingLog(path: path, policy: settings.rotation, access: settings.access)
    }

    func lines(_ domain: LogDomain) -> LineLog? {
        switch settings.format {
        case .plain: nil
        case .json: LineLog(domain: domain)
        }
    }

    static func unsupported(_ flags: UInt32) -> VirtError {
        VirtError(.invalidArg, .none, "unsupported flags (0x\(String(flags, radix: 16)))")
    }

    private func position(_ file: RotatingLog) -> LogLogFilePosition {
        LogLogFilePosition(inode: file.inode, offset: file.offset)
    }
}
