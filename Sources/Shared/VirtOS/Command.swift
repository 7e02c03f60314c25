import Glibc
import VirtCore

/// A running command whose streams are served; lives on its process's loop.
final class Command: @unchecked Sendable {
    let result = OneShot<Result<ChildProcess.Output, any Error>>()
    private let process: RunningChild
    private let commandLine: String
    private let limit: Int
    private var pipes: CommandPipes?
    private var input: [UInt8]
    private var sent = 0
    private var inputWatch: Watch?
    private let output = Stream()
    private let errors = Stream()
    private var timer: Timer?
    private var failure: (any Error)?

    private final class Stream {
        var bytes: [UInt8] = []
        var watch: Watch?
        var isOpen = true

        func close() {
            watch?.cancel()
            watch = nil
            isOpen = false
        }
    }

    /// How long the end of the output is waited for once the process is gone (one that it left behind may hold the
    /// pipe), and how long the end of a process that was killed.
    private static let patience = Duration.seconds(2)

    init(_ process: RunningChild, _ commandLine: String, _ pipes: CommandPipes, _ input: [UInt8], _ limit: Int) {
        self.process = process
        self.commandLine = commandLine
        self.pipes = pipes
        self.input = input
        self.limit = limit
    }

    func begin(deadline: MonotonicTime) {
        process.onExit { [self] _ in process.loop.execute { self.processEnded() } }
        guard failure == nil, let pipes else { return }
        timer = process.loop.schedule(at: deadline, name: "command") { [self] in
            timer = nil
            fail(VirtError(.operationTimeout, .none, "command '\(commandLine)' did not end in time"))
        }
        do throws(VirtError) {
            output.watch = try watch(pipes.output, .read) { [self] in receive(pipes.output, output) }
            errors.watch = try watch(pipes.error, .read) { [self] in receive(pipes.error, errors) }
            if let stream = pipes.input { inputWatch = try watch(stream, .write) { [self] in send(stream) } }
        } catch {
            fail(error)
        }
    }

    private func watch(
        _ stream: DescriptorBox, _ interest: Interest, _ body: @escaping () -> Void
    ) throws(VirtError) -> Watch {
        try process.loop.watch(stream.rawValue, interest, name: "command stream") { _ in body() }
    }

    // MARK: Streams

    private func receive(_ descriptor: DescriptorBox, _ stream: Stream) {
        let count = unsafe withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 1) { buffer in
            let count = unsafe Glibc.read(descriptor.rawValue, buffer.baseAddress, buffer.count)
            if count > 0 { unsafe stream.bytes += buffer[..<count] }
            return count
        }
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        if stream.bytes.count > limit {
            return fail(VirtError(.internalError, .none, "command '\(commandLine)' printed more than \(limit) bytes"))
        }
        guard count <= 0 else { return }
        stream.close()
        endIfDone()
    }

    private func send(_ descriptor: DescriptorBox) {
        let count = unsafe input.withUnsafeBytes { bytes in
            unsafe bytes.isEmpty
                ? 0 : Glibc.write(descriptor.rawValue, bytes.baseAddress?.advanced(by: sent), bytes.count - sent)
        }
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        sent += max(0, count)
        // A child that does not read all of its input is its own business.
        guard count < 0 || sent == input.count else { return }
        inputWatch?.cancel()
        inputWatch = nil
        pipes?.closeInput()
    }

    // MARK: The end

    private func processEnded() {
        guard result.value == nil else { return }
        if failure != nil { return end() }
        endIfDone()
        guard result.value == nil else { return }
        timer?.cancel()
        timer = process.loop.schedule(after: Self.patience, name: "command output") { [self] in end() }
    }

    private func endIfDone() {
        if failure == nil, !output.isOpen, !errors.isOpen, process.exitStatus != nil { end() }
    }

    /// Kills the command and reports `error` once it is gone.
    func fail(_ error: any Error) {
        guard result.value == nil, failure == nil else { return }
        failure = error
        process.killGroup(SIGKILL)
        if process.exitStatus != nil { return end() }
        timer?.cancel()
        timer = process.loop.schedule(after: Self.patience, name: "command kill") { [self] in end() }
    }

    private func end() {
        output.close()
        errors.close()
        inputWatch?.cancel()
        inputWatch = nil
        timer?.cancel()
        timer = nil
        pipes = nil
        if let failure {
            result.fulfil(.failure(failure))
        } else {
            result.fulfil(.success((process.exitStatus ?? .unknown, output.bytes, errors.bytes)))
        }
    }
}
