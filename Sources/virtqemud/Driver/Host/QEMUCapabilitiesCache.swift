import CGcrypt
import Glibc
package import QEMUCommand
import VirtCore
package import VirtOS

/// The facts of the QEMU binaries of this host: in memory, in libvirt's cache directory, else from a probe.
package actor QEMUCapabilitiesCache {
    private struct Entry {
        var binaryTime: Int64
        var facts: QEMUCapabilities
        /// Probed by this daemon: that KVM did not work although its device is there need not be found out again.
        var isFresh: Bool
    }

    package nonisolated let loop: EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let directory: String
    private let user: ChildProcess.User?
    private let log = Logger("qemu.capabilities")
    private var entries: [String: Entry] = [:]
    /// When each was last found to be as the host and the binary are. Looking at both reads a few files, too much for
    /// each of a thousand definitions.
    private var confirmed: [String: MonotonicTime] = [:]
    private static let trust = Duration.seconds(1)
    private var probes: [String: Task<QEMUCapabilities, any Error>] = [:]

    /// - Parameters:
    ///   - directory: libvirt's cache directory of the driver, /var/cache/libvirt/qemu.
    ///   - user: whom QEMU runs as; nil is the daemon's user.
    package init(directory: String, user: ChildProcess.User?, loop: EventLoop) {
        self.directory = directory + "/capabilities"
        self.user = user
        self.loop = loop
    }

    /// The facts of a binary, probed anew when anything that they depend on has changed.
    package func facts(of binary: String) async throws -> QEMUCapabilities {
        if let entry = entries[binary], let time = confirmed[binary], .now() - time < Self.trust { return entry.facts }
        let (host, binaryTime) = try await BlockingPool.shared.run { (HostFacts.current(), try Self.check(binary)) }
        if let entry = entries[binary], confirms(entry, host, binaryTime) {
            confirmed[binary] = .now()
            return entry.facts
        }
        if let probe = probes[binary] { return try await probe.value }
        let probe = Task { try await load(binary, host, binaryTime) }
        probes[binary] = probe
        defer { probes[binary] = nil }
        return try await probe.value
    }

    /// The facts of many binaries, of which at most one per processor is probed at a time. Those that can't be probed
    /// are missing.
    package func facts(ofAll binaries: Set<String>) async -> [String: QEMUCapabilities] {
        await withTaskGroup(of: (String, QEMUCapabilities?).self) { group in
            var waiting = binaries.sorted()[...]
            func startNext() {
                guard let binary = waiting.popFirst() else { return }
                group.addTask { (binary, try? await self.facts(of: binary)) }
            }
            for _ in 0..<max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN))) { startNext() }
            var known: [String: QEMUCapabilities] = [:]
            while let (binary, facts) = await group.next() {
                known[binary] = facts
                startNext()
            }
            return known
        }
    }

    /// Probes a binary whatever is known of it; the file isn't touched.
    package nonisolated func probe(_ binary: String) async throws -> QEMUCapabilities {
        let user = user.map(\.helperText) ?? "-"
        let result = try await ChildProcess.run(
            "/proc/self/exe", [CapabilityHelper.option, user, binary], input: nil, timeout: .seconds(60),
            outputLimit: 16 << 20)
        return try CapabilityHelper.facts(binary, result)
    }

    /// Talks to a QEMU without a machine.
    nonisolated func withQEMU<Result: Sendable>(
        _ binary: String, _ body: (@escaping CapabilityProbe.Ask) async throws -> Result
    ) async throws -> Result {
        do {
            return try await CapabilityHelper.withQEMU(
                binary, accelerators: "kvm:tcg", user: user, on: loop, body)
        } catch let error as CapabilityHelper.EndedEarly {
            throw VirtError(
                .internalError, .qemu, "Failed to start QEMU binary \(binary) for probing: \(error.status)")
        }
    }

    private func confirms(_ entry: Entry, _ host: HostFacts, _ binaryTime: Int64) -> Bool {
        var host = host
        if entry.isFresh, !entry.facts.has(.kvm) { host.kvmUsable = false }
        return host.confirm(entry.facts, binaryTime: binaryTime)
    }

    private func load(_ binary: String, _ host: HostFacts, _ binaryTime: Int64) async throws -> QEMUCapabilities {
        let path = directory + "/" + Self.digest(binary) + ".xml"
        if let facts = await stored(path), facts.emulator == binary, host.confirm(facts, binaryTime: binaryTime) {
            entries[binary] = Entry(binaryTime: binaryTime, facts: facts, isFresh: false)
            return facts
        }
        var facts = try await probe(binary)
        host.sign(&facts, binaryTime: binaryTime)
        entries[binary] = Entry(binaryTime: binaryTime, facts: facts, isFresh: true)
        let text = try facts.formatCache()
        let directory = directory
        do {
            try await BlockingPool.shared.run {
                try FileSystem.makeDirectories(directory)
                try FileSystem.atomicWrite(path, Array(text.utf8), mode: 0o600)
            }
        } catch {
            log.warning("Failed to save '\(path)' for '\(binary)': \(error)")
        }
        return facts
    }

    private func stored(_ path: String) async -> QEMUCapabilities? {
        guard let bytes = try? await BlockingPool.shared.run({ try FileSystem.read(path, limit: 16 << 20) }) else {
            return nil
        }
        do {
            return try QEMUCapabilities.parse(cache: bytes)
        } catch {
            log.warning("Failed to load '\(path)': \(error)")
            return nil
        }
    }

    /// The binary's ctime; an error when it can't be run.
    private static func check(_ binary: String) throws(VirtError) -> Int64 {
        guard let time = HostFacts.changeTime(binary) else {
            throw .system(errno, .qemu, "Cannot check QEMU binary \(binary)")
        }
        let problem = FileSystem.isDirectory(binary) ? EISDIR : unsafe access(binary, X_OK) == 0 ? 0 : errno
        guard problem == 0 else { throw .system(problem, .qemu, "QEMU binary \(binary) is not executable") }
        return time
    }

    /// SHA-256 in hexadecimal digits.
    private static func digest(_ text: String) -> String {
        unsafe gcry_check_version(nil)
        let bytes = Array(text.utf8)
        var digest = [UInt8](repeating: 0, count: 32)
        unsafe gcry_md_hash_buffer(Int32(GCRY_MD_SHA256.rawValue), &digest, bytes, bytes.count)
        let digits = Array("0123456789abcdef")
        return String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}

extension QEMUCapabilitiesCache {
    /// The emulator that libvirt chooses for guests of an architecture; nil when none is installed.
    package nonisolated static func emulator(for architecture: String, host: String) -> String? {
        let isNative = Architecture.isNative(architecture, host: host)
        var candidates = [architecture]
        // Only the emulator of the host can run such a guest with KVM.
        if host == "aarch64", architecture == "armv7l" { candidates.insert(host, at: 0) }
        if isNative { candidates.append(host) }
        if Architecture.isPPC64(architecture) { candidates.append("ppc64") }
        let targets = candidates.compactMap { Architecture.named($0)?.target }
        if let found = targets.lazy.compactMap({ ChildProcess.find("qemu-system-" + $0) }).first { return found }
        // The one emulator of Red Hat's systems, outside of PATH.
        return isNative ? "/usr/libexec/qemu-kvm" : nil
    }
}
