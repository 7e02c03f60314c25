import CLinux
import Glibc
import Synchronization
package import VirtCore

/// A process that was started, or found running, held by a descriptor that cannot come to mean another one.
///
/// Its end is collected whether or not anybody waits. A child still at its handshake ends when this object goes.
package final class RunningChild: Sendable {
    package let pid: Int32
    /// The loop that notices its end.
    package let loop: EventLoop
    private let core: Core
    private let gate: Mutex<DescriptorBox?>

    /// What outlives the handle: the descriptor and the news.
    private final class Core: Sendable {
        let pidfd: OwnedDescriptor
        let status: DescriptorBox?
        let child: ChildProcess?
        let exit = OneShot<ExitStatus>()
        let handshake = OneShot<Result<Void, VirtError>>()
        let exec = OneShot<Result<Void, VirtError>>()

        init(_ pidfd: consuming OwnedDescriptor, _ status: DescriptorBox?, _ child: ChildProcess?) {
            self.pidfd = pidfd
            self.status = status
            self.child = child
        }
    }

    init(_ started: clinux_started, _ child: ChildProcess, _ loop: EventLoop) {
        pid = started.pid
        self.loop = loop
        let status = DescriptorBox(OwnedDescriptor(started.status))
        var child = child
        child.descriptors = [:]  // the other ends wait for ours to close
        core = Core(OwnedDescriptor(started.pidfd), status, child)
        gate = Mutex(DescriptorBox(OwnedDescriptor(started.release)))
    }

    /// A process that runs already, not necessarily a child: a daemon that restarted finds its guests this way. Not
    /// one that another `RunningChild` holds: only one of them would learn how it ended.
    package init(adopting pid: Int32, on loop: EventLoop) throws(VirtError) {
        let pidfd = clinux_pidfd_open(pid)
        guard pidfd >= 0 else { throw .system(-pidfd, .none, "Unable to open process \(pid)") }
        self.pid = pid
        self.loop = loop
        core = Core(OwnedDescriptor(pidfd), nil, nil)
        gate = Mutex(nil)
        begin()
    }

    // MARK: The end

    /// How it ended, if it has.
    package var exitStatus: ExitStatus? { core.exit.value }

    /// Calls `body` with how it ended: on its loop, or at once if it has.
    package func onExit(_ body: @escaping @Sendable (ExitStatus) -> Void) { core.exit.whenFulfilled(body) }

    /// Waits for its end, also in a cancelled task.
    package nonisolated(nonsending) func waitExit() async -> ExitStatus { await core.exit.wait() }

    /// Waits for its end; nil if it still runs after `timeout`. Throws `CancellationError`.
    package nonisolated(nonsending) func waitExit(timeout: Duration) async throws -> ExitStatus? {
        try await core.exit.wait(timeout: timeout, on: loop)
    }

    /// Sends a signal. False: the process is gone (or may not be signalled).
    @discardableResult
    package func kill(_ signal: Int32) -> Bool { clinux_pidfd_signal(core.pidfd.rawValue, signal) >= 0 }

    /// Sends a signal to the process group that it leads, if it does.
    @discardableResult
    package func killGroup(_ signal: Int32) -> Bool {
        // The group's number stays taken until its leader has been collected.
        guard core.exit.value == nil, leadsGroup else { return kill(signal) }
        return Glibc.kill(-pid, signal) == 0
    }

    /// One that was found running is asked, while its descriptor says that the number is still its own.
    private var leadsGroup: Bool {
        if let child = core.child { return child.newSession || child.newProcessGroup }
        return getpgid(pid) == pid && kill(0)
    }

    // MARK: The handshake

    /// Waits until the child has done all but take on its user and run the program.
    package nonisolated(nonsending) func waitForHandshake(timeout: Duration = .seconds(30)) async throws {
        guard let result = try await core.handshake.wait(timeout: timeout, on: loop) else { throw Self.lateError }
        try result.get()
    }

    /// Lets the child go on, and waits until the program runs.
    package nonisolated(nonsending) func release(timeout: Duration = .seconds(30)) async throws {
        openGate()
        guard let result = try await core.exec.wait(timeout: timeout, on: loop) else { throw Self.lateError }
        try result.get()
    }

    private static let lateError = VirtError(.operationTimeout, .none, "child process did not start in time")

    private func openGate() {
        gate.withLock { gate in
            if let gate { _ = unsafe Glibc.write(gate.rawValue, [1], 1) }
            gate = nil
        }
    }

    // MARK: News

    /// Blocks until the program runs.
    func waitForExec() throws(VirtError) {
        guard let child = core.child, let status = core.status else { return }
        var report = clinux_report()
        var count = 0
        repeat {
            count = unsafe Glibc.read(status.rawValue, &report, MemoryLayout<clinux_report>.size)
        } while count < 0 && errno == EINTR
        gate.withLock { $0 = nil }
        core.exec.fulfil(.success(()))
        if count > 0 { throw child.error(report) }
    }

    /// Starts to listen for its end and, with a handshake, for its reports.
    func begin() {
        loop.execute { [core, loop] in
            Self.watchExit(core, loop)
            if core.exec.value == nil, core.child != nil { Self.watchReports(core, loop) }
        }
    }

    private static func watchExit(_ core: Core, _ loop: EventLoop) {
        var watch: Watch?
        let body: (Readiness) -> Void = { _ in
            var status: Int32 = 0
            let result = unsafe clinux_child_reap(core.pidfd.rawValue, &status)
            guard result != 0 else { return }
            watch?.cancel()
            core.exit.fulfil(result > 0 ? ExitStatus(waitStatus: status) : .unknown)
        }
        watch = try? loop.watch(core.pidfd.rawValue, .read, name: "child process", body)
        if watch == nil { body(.error) }
    }

    private static func watchReports(_ core: Core, _ loop: EventLoop) {
        guard let status = core.status, let child = core.child else { return }
        var watch: Watch?
        let body: (Readiness) -> Void = { _ in
            var report = clinux_report()
            let count = unsafe Glibc.read(status.rawValue, &report, MemoryLayout<clinux_report>.size)
            if count < 0, errno == EINTR || errno == EAGAIN { return }
            if count > 0, report.error == 0 { return core.handshake.fulfil(.success(())) }
            watch?.cancel()
            let result: Result<Void, VirtError> =
                if count > 0 {
                    .failure(child.error(report))
                } else if case .success? = core.handshake.value {
                    .success(())
                } else {
                    .failure(VirtError(.internalError, .none, "child process died before it was ready"))
                }
            core.handshake.fulfil(result)
            core.exec.fulfil(result)
        }
        watch = try? loop.watch(status.rawValue, .read, name: "child reports", body)
        if watch == nil { body(.error) }
    }
}
