import Glibc
package import VirtCore
package import VirtOS

/// The control connection to one QEMU: commands out, replies and events in. Isolated to one event loop.
///
/// Replies find their command by id, so commands of several tasks can be under way at once; QEMU answers them in
/// order. Events are handed on in order, on the loop. Anything that isn't QMP ends the monitor: every waiting command
/// fails with the reason, and `onClose` gets it.
package actor QEMUMonitor {
    /// What the monitor tells its owner, on the loop.
    package struct Callbacks: Sendable {
        package var event: @Sendable (QMPEvent) -> Void
        /// Called once, with what ended the connection.
        package var close: @Sendable (VirtError) -> Void

        package init(
            event: @escaping @Sendable (QMPEvent) -> Void = { _ in },
            close: @escaping @Sendable (VirtError) -> Void = { _ in }
        ) {
            self.event = event
            self.close = close
        }
    }

    /// The text that libvirt gives when QEMU goes away.
    package static let endOfFile = "End of file from qemu monitor"

    package nonisolated let loop: EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let socket: DescriptorBox
    private let callbacks: Callbacks
    private var session: QMPSession
    private var watch: Watch?
    private var output = MonitorOutput()
    private var closed: VirtError?
    private var greeting: QMPGreeting?
    private var greetingWaiter: CheckedContinuation<QMPGreeting, any Error>?
    private var waiting: [UInt64: Waiter] = [:]

    private struct Waiter {
        let command: String
        let complete: (Result<QMPSession.Outcome, VirtError>) -> Void
    }

    /// Outcomes of commands that were sent together.
    private final class Batch {
        var outcomes: [QMPSession.Outcome?]
        var missing: Int
        var timer: Timer?

        init(count: Int) {
            outcomes = Array(repeating: nil, count: count)
            missing = count
        }
    }

    private init(socket: DescriptorBox, loop: EventLoop, lineLimit: Int, callbacks: Callbacks) {
        self.socket = socket
        self.loop = loop
        self.callbacks = callbacks
        session = QMPSession(lineLimit: lineLimit)
    }

    /// Takes over a connected socket and waits for QEMU's greeting. No command may be sent before `negotiate`.
    ///
    /// - Parameter timeout: how long QEMU may take to greet.
    package static func open(
        _ socket: DescriptorBox, loop: EventLoop, lineLimit: Int = QMPSession.defaultLineLimit,
        timeout: Duration? = .seconds(30), callbacks: Callbacks = Callbacks()
    ) async throws -> QEMUMonitor {
        let monitor = QEMUMonitor(socket: socket, loop: loop, lineLimit: lineLimit, callbacks: callbacks)
        try await monitor.begin()
        _ = try await monitor.waitForGreeting(timeout: timeout)
        return monitor
    }

    /// Connects to QEMU's monitor socket, takes its greeting and negotiates capabilities.
    package static func connect(
        path: String, loop: EventLoop, timeout: Duration? = .seconds(30), callbacks: Callbacks = Callbacks()
    ) async throws -> QEMUMonitor {
        let socket = DescriptorBox(try UnixSocket.connect(path: path))
        let monitor = try await open(socket, loop: loop, timeout: timeout, callbacks: callbacks)
        try await monitor.negotiate(timeout: timeout)
        return monitor
    }

    /// QEMU's version as it greeted.
    package var version: QMPGreeting? { greeting }

    /// Ends capabilities negotiation: from here on commands are accepted and events flow.
    package func negotiate(timeout: Duration? = .seconds(30)) async throws {
        _ = try await execute("qmp_capabilities", timeout: timeout)
    }

    /// Runs a command.
    ///
    /// - Parameters:
    ///   - descriptor: handed to QEMU with the command's first byte (`getfd`, `add-fd`).
    ///   - timeout: nil waits as long as QEMU lives.
    /// - Returns: the reply's `return`.
    /// - Throws: `VirtError` with libvirt's text when QEMU refuses or is gone.
    @discardableResult
    package func execute(
        _ command: String, _ arguments: JSONValue? = nil, descriptor: DescriptorBox? = nil, timeout: Duration? = nil
    ) async throws -> JSONValue {
        switch try await attempt(command, arguments, descriptor: descriptor, timeout: timeout) {
        case .success(let value): return value
        case .failure(let failure): throw failure.virtError
        }
    }

    /// Runs a command and hands QEMU's refusal back as a value, for callers that look at its class.
    package func attempt(
        _ command: String, _ arguments: JSONValue? = nil, descriptor: DescriptorBox? = nil, timeout: Duration? = nil
    ) async throws -> QMPSession.Outcome {
        try await single(timeout: timeout, [Draft(command, descriptor) { $0.command(command, arguments) }])
    }

    /// Runs a command of a client's own wording (`virsh qemu-monitor-command`).
    package func passthrough(
        _ command: JSONObject, descriptor: DescriptorBox? = nil
    ) async throws
        -> QMPSession.Outcome
    {
        let name = (command["execute"] ?? command["exec-oob"])?.string ?? "<unknown>"
        return try await single(timeout: nil, [Draft(name, descriptor) { $0.passthrough(command) }])
    }

    /// Runs a command of the human monitor and returns what it printed.
    package func executeHuman(_ line: String, timeout: Duration? = nil) async throws -> String {
        let arguments: JSONValue = ["command-line": .string(line)]
        return try await execute("human-monitor-command", arguments, timeout: timeout).string ?? ""
    }

    /// Sends many commands in one go and collects the outcomes in their order: one round trip for all of them.
    package func executeAll(_ commands: [QMPCommand], timeout: Duration? = nil) async throws -> [QMPSession.Outcome] {
        let drafts = commands.map { command in
            Draft(command.name, nil) { $0.command(command.name, command.arguments) }
        }
        return try await roundTrip(drafts, timeout: timeout)
    }

    /// Closes the connection; waiting commands fail.
    package func close() {
        end(VirtError(.operationFailed, .qemu, "monitor was closed"))
    }
}

extension QEMUMonitor {
    /// A command that has no serial yet.
    private struct Draft {
        let name: String
        let descriptor: DescriptorBox?
        let words: (inout QMPSession) -> (serial: UInt64, line: [UInt8])

        init(
            _ name: String, _ descriptor: DescriptorBox?,
            _ words: @escaping (inout QMPSession) -> (serial: UInt64, line: [UInt8])
        ) {
            self.name = name
            self.descriptor = descriptor
            self.words = words
        }
    }

    private func single(timeout: Duration?, _ drafts: [Draft]) async throws -> QMPSession.Outcome {
        guard let outcome = try await roundTrip(drafts, timeout: timeout).first else {
            throw VirtError(.internalError, .qemu, "Missing monitor reply object")
        }
        return outcome
    }

    private func roundTrip(_ drafts: [Draft], timeout: Duration?) async throws -> [QMPSession.Outcome] {
        try Task.checkCancellation()
        if let closed { throw closed }
        guard !drafts.isEmpty else { return [] }
        var serials: [UInt64] = []
        for draft in drafts {
            let (serial, line) = draft.words(&session)
            serials.append(serial)
            output.append(line, descriptor: draft.descriptor)
        }
        let names = drafts.map(\.name)
        let sent = serials
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                wait(for: sent, names: names, timeout: timeout, continuation)
                flush()
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.abandon(sent, Self.cancelled) } }
        }
    }

    private static var cancelled: VirtError { VirtError(.operationAborted, .qemu, "monitor command cancelled") }

    /// Registers waiters for all serials; the continuation is resumed once: with all outcomes, or the first error.
    private func wait(
        for serials: [UInt64], names: [String], timeout: Duration?,
        _ continuation: CheckedContinuation<[QMPSession.Outcome], any Error>
    ) {
        let batch = Batch(count: serials.count)
        for (index, serial) in serials.enumerated() {
            waiting[serial] = Waiter(command: names[index]) { result in
                guard batch.missing > 0 else { return }
                switch result {
                case .success(let outcome):
                    batch.outcomes[index] = outcome
                    batch.missing -= 1
                    guard batch.missing == 0 else { return }
                    batch.timer?.cancel()
                    continuation.resume(returning: batch.outcomes.compactMap { $0 })
                case .failure(let error):
                    batch.missing = 0
                    batch.timer?.cancel()
                    continuation.resume(throwing: error)
                }
            }
        }
        if Task.isCancelled { return abandon(serials, Self.cancelled) }
        guard let timeout else { return }
        batch.timer = loop.schedule(after: timeout) { [weak self] in
            self?.assumeIsolated { monitor in
                let late = serials.first { monitor.waiting[$0] != nil }
                let name = late.flatMap { monitor.waiting[$0]?.command } ?? ""
                let text = "QEMU did not answer the command '\(name)' in time"
                monitor.abandon(serials, VirtError(.operationTimeout, .qemu, text))
            }
        }
    }

    /// Stops waiting for commands. The connection stays in use: their late replies are dropped.
    private func abandon(_ serials: [UInt64], _ reason: VirtError) {
        for serial in serials {
            waiting.removeValue(forKey: serial)?.complete(.failure(reason))
        }
    }

    private func begin() throws {
        let watch = try loop.watch(socket.rawValue, .read) { [weak self] readiness in
            self?.assumeIsolated { $0.ready(readiness) }
        }
        self.watch = watch
    }

    private func waitForGreeting(timeout: Duration?) async throws -> QMPGreeting {
        if let closed { throw closed }
        if let greeting { return greeting }
        var timer: Timer?
        if let timeout {
            timer = loop.schedule(after: timeout) { [weak self] in
                self?.assumeIsolated {
                    $0.end(VirtError(.operationTimeout, .qemu, "QEMU did not greet on its monitor in time"))
                }
            }
        }
        defer { timer?.cancel() }
        return try await withCheckedThrowingContinuation { greetingWaiter = $0 }
    }

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.write) { flush() }
        if !readiness.isDisjoint(with: [.read, .hangup, .error]) { readAll() }
    }

    /// Reads a bounded amount per turn; the level-triggered watch calls again for the rest.
    private func readAll() {
        for _ in 0..<16 where closed == nil {
            let count = unsafe withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 16) { buffer -> Int in
                let count = unsafe recv(socket.rawValue, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                if count > 0 { unsafe receive(UnsafeRawBufferPointer(rebasing: buffer[0..<count])) }
                return count
            }
            if count > 0 { continue }
            if count == 0 { return end(VirtError(.internalError, .qemu, Self.endOfFile)) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return
            default: return end(.system(errno, .qemu, "Unable to read from monitor"))
            }
        }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        var steps: [QMPSession.Step] = []
        do {
            try unsafe session.receive(bytes) { steps.append($0) }
            for step in steps { perform(step) }
        } catch {
            for step in steps { perform(step) }
            end(error)
        }
    }

    private func perform(_ step: QMPSession.Step) {
        guard closed == nil else { return }
        switch step {
        case .greeting(let greeting):
            self.greeting = greeting
            greetingWaiter?.resume(returning: greeting)
            greetingWaiter = nil
        case .reply(let serial, let outcome):
            waiting.removeValue(forKey: serial)?.complete(.success(outcome))
        case .event(let event):
            callbacks.event(event)
        }
    }

    private func flush() {
        guard closed == nil else { return }
        do {
            let finished = try output.send(to: socket.rawValue)
            watch?.update(finished ? .read : [.read, .write])
        } catch {
            end(error)
        }
    }

    private func end(_ reason: VirtError) {
        guard closed == nil else { return }
        closed = reason
        watch?.cancel()
        watch = nil
        output = MonitorOutput()
        shutdown(socket.rawValue, Int32(SHUT_RDWR))
        greetingWaiter?.resume(throwing: reason)
        greetingWaiter = nil
        let left = waiting
        waiting = [:]
        for (_, waiter) in left.sorted(by: { $0.key < $1.key }) {
            waiter.complete(.failure(reason))
        }
        callbacks.close(reason)
    }
}
