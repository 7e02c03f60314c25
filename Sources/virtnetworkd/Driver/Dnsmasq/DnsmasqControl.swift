import CLinux
import Glibc
import VirtCore
import VirtOS

/// The dnsmasq processes of networks.
struct DnsmasqControl: Sendable {
    /// The helper that keeps the lease files.
    let leasesHelper: String
    /// Put in front of the helper's paths.
    let root: String

    static var program: String { ChildProcess.find("dnsmasq") ?? "/usr/sbin/dnsmasq" }

    /// The helper next to the daemon (as it is built), else where it is installed.
    static func findHelper() -> String {
        let name = "virtleaseshelper"
        let own = FileSystem.linkTarget("/proc/self/exe").map { FileSystem.directory(of: $0) + "/" + name }
        let places = [own, "/usr/libexec/virtswarm/\(name)", "/usr/local/libexec/virtswarm/\(name)"]
        let found = places.compactMap { $0 }.first { unsafe access($0, X_OK) == 0 }
        return found ?? "/usr/lib/libvirt/libvirt_leaseshelper"
    }

    /// Starts dnsmasq, which goes into the background once it has read its configuration.
    func start(configuration: String, bridge: String) async throws {
        var child = ChildProcess(
            Self.program,
            ["--conf-file=\(configuration)", "--leasefile-ro", "--dhcp-script=\(leasesHelper)"])
        child.environment.append("VIR_BRIDGE_NAME=\(bridge)")
        if !root.isEmpty { child.environment.append("VIRT_LEASES_ROOT=\(root)") }
        let output = try await ChildProcess.run(child)
        guard output.status.isSuccess else {
            throw ChildProcess.failure("VIR_BRIDGE_NAME=\(bridge) \(child.commandLine)", output)
        }
    }

    /// The process of a pid file, if it is a dnsmasq with that network's configuration.
    static func running(_ files: DnsmasqConfiguration.Files) -> DnsmasqProcess? {
        guard let pid = PidFile.read(files.processID), pid > 1,
            let target = FileSystem.linkTarget("/proc/\(pid)/exe"), isDnsmasq(target),
            let line = try? FileSystem.read("/proc/\(pid)/cmdline", limit: 65536)
        else { return nil }
        let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return words.contains("--conf-file=\(files.configuration)") ? DnsmasqProcess(pid: pid) : nil
    }

    /// Also true for one whose file was replaced by an upgrade.
    private static func isDnsmasq(_ path: String) -> Bool {
        let name = path.hasSuffix(" (deleted)") ? String(path.dropLast(10)) : path
        return name.split(separator: "/").last == "dnsmasq"
    }

    static func reload(_ process: DnsmasqProcess) throws(VirtError) {
        if kill(process.pid, SIGHUP) < 0, errno != ESRCH {
            throw VirtError.system(errno, .network, "cannot signal dnsmasq")
        }
    }

    static func end(_ process: DnsmasqProcess) { kill(process.pid, SIGTERM) }

    /// Ends the process and waits for it; after some seconds it is killed.
    static func awaitEnd(_ process: DnsmasqProcess) {
        let descriptor = clinux_pidfd_open(process.pid)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        for signal in [SIGTERM, SIGKILL] {
            kill(process.pid, signal)
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if unsafe poll(&poller, 1, 5000) != 0 { return }
        }
    }
}
