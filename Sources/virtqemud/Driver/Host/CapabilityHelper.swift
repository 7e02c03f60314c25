import Glibc
package import QEMUCommand
import QEMUMonitor
import VirtCore
package import VirtOS

/// The short-lived process that asks a QEMU for its capabilities: `virtqemud --qemu-capabilities USER BINARY`. QEMU's
/// answers have megabytes; the daemon only sees the facts, on standard output in the cache file's form.
package enum CapabilityHelper {
    package static let option = "--qemu-capabilities"

    /// Runs the helper when the command line asks for it, and ends the process.
    package static func runIfRequested(_ arguments: [String] = CommandLine.arguments) async {
        guard arguments.count == 4, arguments[1] == option else { return }
        do {
            let loop = EventLoopGroup(count: 1, name: "probe").next()
            let facts = try await probe(arguments[3], user: ChildProcess.User(helperText: arguments[2]), on: loop)
            try FileSystem.write(STDOUT_FILENO, Array(facts.formatCache().utf8), name: "standard output")
            exit(0)
        } catch {
            let message = (error as? VirtError)?.message ?? "\(error)"
            try? FileSystem.write(STDERR_FILENO, Array(message.utf8), name: "standard error")
            exit(1)
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
            let tcg = try await withQEMU(binary, accelerators: "tcg", user: user, on: loop) { ask in
                try await CapabilityProbe.run(ask: ask)
            }
            facts.tcg = tcg.tcg
        }
        facts.emulator = binary
        return facts
    }

    private static func withQEMU(
        _ binary: String, accelerators: String, user: ChildProcess.User?, on loop: EventLoop,
        _ body: (@escaping CapabilityProbe.Ask) async throws -> QEMUCapabilities
    ) async throws -> QEMUCapabilities {
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
        let running = try ChildProcess.spawn(child, on: loop)
        defer { running.kill(SIGKILL) }
        let monitor = try await QEMUMonitor.open(ours, loop: loop)
        try await monitor.negotiate()
        let facts = try await body { try await monitor.executeAll($0, timeout: .seconds(30)) }
        await monitor.close()
        running.kill(SIGKILL)
        _ = await running.waitExit()
        return facts
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
