import Glibc
package import VirtCore

extension ChildProcess {
    /// What a finished command left.
    package typealias Output = (status: ExitStatus, stdout: [UInt8], stderr: [UInt8])

    /// Runs a program to its end and collects what it prints. Any exit status is a result, not an error.
    ///
    /// It runs in a process group of its own, which is killed when the task is cancelled (`CancellationError`), after
    /// `timeout` (operationTimeout), or when it prints more than `outputLimit` bytes to either stream.
    package static func run(
        _ executable: String, _ arguments: [String] = [], input: [UInt8]? = nil, timeout: Duration = .seconds(60),
        outputLimit: Int = 16 << 20, on loop: EventLoop? = nil
    ) async throws -> Output {
        try await run(
            ChildProcess(executable, arguments), input: input, timeout: timeout, outputLimit: outputLimit, on: loop)
    }

    /// The same for a child with an environment, a user or limits of its own. Its descriptors 0, 1 and 2 are taken.
    package static func run(
        _ child: ChildProcess, input: [UInt8]? = nil, timeout: Duration = .seconds(60), outputLimit: Int = 16 << 20,
        on loop: EventLoop? = nil
    ) async throws -> Output {
        let pipes = try CommandPipes(hasInput: input != nil)
        let process = try await start(child, pipes, loop)
        pipes.closeChildEnds()
        let command = Command(process, child.commandLine, pipes, input ?? [], outputLimit)
        process.loop.execute { command.begin(deadline: .now() + timeout) }
        let result = await withTaskCancellationHandler {
            await command.result.wait()
        } onCancel: {
            process.loop.execute { command.fail(CancellationError()) }
        }
        return try result.get()
    }

    /// Apart from the above so that nothing holds the child's ends of the pipes afterwards.
    private static func start(
        _ child: ChildProcess, _ pipes: CommandPipes, _ loop: EventLoop?
    ) async throws -> RunningChild {
        var child = child
        child.newProcessGroup = true
        child.descriptors.merge(pipes.childEnds) { $1 }
        return try await BlockingPool.shared.run { [child] in try spawn(child, on: loop) }
    }

    /// The error that libvirt raises for a command that did not succeed.
    package static func failure(_ commandLine: String, _ output: Output) -> VirtError {
        let text = String(decoding: output.stderr, as: UTF8.self)
        let detail = text.isEmpty ? "" : ": \(text)"
        return VirtError(
            .internalError, .none, "Child process (\(commandLine)) unexpected \(output.status)\(detail)")
    }
}

/// The pipes of a command's standard streams. Our ends are non-blocking, the child's are not.
final class CommandPipes: @unchecked Sendable {
    private(set) var input: DescriptorBox?
    let output: DescriptorBox
    let error: DescriptorBox
    private(set) var childEnds: [Int32: DescriptorBox] = [:]

    init(hasInput: Bool) throws(VirtError) {
        let (outputs, errors) = (try OwnedDescriptor.pipe(), try OwnedDescriptor.pipe())
        (output, error) = (outputs.reading, errors.reading)
        childEnds = [1: outputs.writing, 2: errors.writing]
        if hasInput {
            let inputs = try OwnedDescriptor.pipe()
            input = inputs.writing
            childEnds[0] = inputs.reading
        }
        for ours in [input, output, error] { try ours?.descriptor.setNonBlocking(true) }
    }

    func closeChildEnds() { childEnds = [:] }
    func closeInput() { input = nil }
}
