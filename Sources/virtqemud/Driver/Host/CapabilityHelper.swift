import Glibc
package import QEMUCommand
import QEMUMonitor
import VirtCore
package import VirtOS

/// The short-lived process that asks a QEMU for its capabilities: `virtqemud --qemu-capabilities USER BINARY`. QEMU's
/// answers have megabytes; the daemon only sees the facts, on standard output in the cache file's form.
package enum CapabilityHelper {
    package static let option = "--qemu-capabilities"

    /// How the helper ends; its standard error is the QEMU's.
    private enum Ending: Int32 {
        /// The facts are on standard output.
        case done = 0
        /// What went wrong is on standard output.
        case failed = 1
        /// QEMU ended with a failure before it had a monitor.
        case notStarted = 2
        /// QEMU ended well, but never had a monitor.
        case noMonitor = 3
    }

    /// QEMU ended instead of greeting.
    struct EndedEarly: Error {
        let status: ExitStatus
    }

    /// Runs the helper when the command line asks for it, and ends the process.
    package static func runIfRequested(_ arguments: [String] = CommandLine.arguments) async {
        guard arguments.count == 4, arguments[1] == option else { return }
        do {
            let loop = EventLoopGroup(count: 1, name: "probe").next()
            let facts = try await probe(arguments[3], user: ChildProcess.User(helperText: arguments[2]), on: loop)
            end(.done, try facts.formatCache())
        } catch let error as EndedEarly {
            end(error.status.isSuccess ? .noMonitor : .notStarted)
        } catch {
            end(.failed, (error as? VirtError)?.message ?? "\(error)")
        }
    }

    private static func end(_ ending: Ending, _ output: String = "") -> Never {
        do {
            try FileSystem.write(STDOUT_FILENO, Array(output.utf8), name: "standard output")
            exit(ending.rawValue)
        } catch {
            exit(Ending.failed.rawValue)
        }
    }

    /// What the daemon makes of the helper's end.
    static func facts(_ binary: String, _ result: ChildProcess.Output) throws -> QEMUCapabilities {
        let stderr = String(decoding: result.stderr.suffix(4096), as: UTF8.self)
        guard case .exited(let code) = result.status, let ending = Ending(rawValue: code) else {
            throw VirtError(
                .internalError, .qemu, "Failed to probe QEMU binary with QMP: unexpected \(result.status): \(stderr)")
        }
        switch ending {
        case .done: return try QEMUCapabilities.parse(cache: result.stdout)
        case .failed:
            throw VirtError(.internalError, .qemu, String(decoding: result.stdout.prefix(4096), as: UTF8.self))
        case .notStarted:
            throw VirtError(
                .internalError, .qemu, "Failed to start QEMU binary \(binary) for probing: \(stderr)")
        case .noMonitor:
            throw VirtError(.systemError, .qemu, "QEMU binary \(binary) ended without a monitor to probe it with")
        }
    }

    /// Asks a QEMU with the best accelerator, and another with TCG when that was KVM.
    package static func probe(
        _ binary: String, user: ChildProcess.User?, on loop: EventLoop
    ) async throws -> QEMUCapabilities {
        var facts = try await withQEMU(binary, accelerators: "kvm:tcg", user: user, on: loop) { ask in
            try await CapabilityProbe.run(ask: ask)
        }
        if facts.has(.kvm), facts.has(.tcg) {
            let known = facts
            facts = try await withQEMU(binary, accelerators: "tcg", user: user, on: loop) { ask in
                var facts = known
                try await CapabilityProbe.addTCG(to: &facts, ask: ask)
                return facts
            }
        }
        facts.emulator = binary
        return facts
    }

    /// Starts a QEMU without a machine, talks to it, and ends it.
    static func withQEMU<Result: Sendable>(
        _ binary: String, accelerators: String, user: ChildProcess.User?, on loop: EventLoop,
        _ body: (@escaping CapabilityProbe.Ask) async throws -> Result
    ) async throws -> Result {
        let (running, socket) = try start(binary, accelerators: accelerators, user: user, on: loop)
        defer { running.kill(SIGKILL) }
        let monitor: QEMUMonitor
        do {
            monitor = try await QEMUMonitor.open(socket, loop: loop)
        } catch {
            guard let status = try await running.waitExit(timeout: .seconds(5)) else { throw error }
            throw EndedEarly(status: status)
        }
        try await monitor.negotiate()
        let facts = try await body { try await monitor.executeAll($0, timeout: .seconds(30)) }
        await monitor.close()
        running.kill(SIGKILL)
        _ = await running.waitExit()
        return facts
    }

    /// Apart from the above so that nothing holds QEMU's end of the socket afterwards: its end would not be seen.
    private static func start(
        _ binary: String, accelerators: String, user: ChildProcess.User?, on loop: EventLoop
    ) throws -> (RunningChild, DescriptorBox) {
        let (ours, theirs) = try pair()
        var child = ChildProcess(
            binary,
            [
                "-S", "-no-user-config", "-nodefaults", "-nographic", "-machine", "none,accel=\(accelerators)",
                "-chardev", "socket,id=charmonitor,fd=3", "-mon", "chardev=charmonitor,id=monitor,mode=control",
            ])
        child.descriptors = [3: theirs, 2: DescriptorBox(try OwnedDescriptor(duplicating: STDERR_FILENO))]
        child.user = user
        child.newProcessGroup = true
        return (try ChildProcess.spawn(child, on: loop), ours)
    }

    private static func pair() throws -> (DescriptorBox, DescriptorBox) {
        var descriptors: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &descriptors) == 0 else {
            throw VirtError.system(errno, .qemu, "Unable to create monitor sockets")
        }
        return (DescriptorBox(OwnedDescriptor(descriptors[0])), DescriptorBox(OwnedDescriptor(descriptors[1])))
    }
}

extension ChildProcess.User {
    /// The form in which the daemon tells the helper whom QEMU runs as: `uid:gid:group,...`, "-" for nobody else.
    var helperText: String { "\(uid):\(gid):" + groups.map(String.init).joined(separator: ",") }

    init?(helperText: String) {
        let parts = helperText.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let uid = UInt32(parts[0]), let gid = UInt32(parts[1]) else { return nil }
        self.init(uid: uid, gid: gid, groups: parts[2].split(separator: ",").compactMap { UInt32($0) })
    }
}
