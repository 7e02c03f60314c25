import Glibc
import VirtCore
import VirtModel
import VirtOS

/// The real host: netlink, /proc, iptables, tc, dnsmasq.
struct LinuxHost: NetworkHost {
    private let firewall: any FirewallBackend
    private let dnsmasqControl: DnsmasqControl
    private let hooks: any NetworkHooks

    init(firewall: any FirewallBackend, dnsmasq: DnsmasqControl, hooks: any NetworkHooks) {
        self.firewall = firewall
        dnsmasqControl = dnsmasq
        self.hooks = hooks
    }

    func perform(_ action: HostAction) async throws {
        switch action {
        case .addRules(let rules): try await firewall.add(rules)
        case .removeRules(let rules): await firewall.remove(rules)
        case .checkChains: await firewall.forgetChains()
        case .trafficControl(let command): try await control(command)
        case .startDnsmasq(let configuration, let bridge):
            try await dnsmasqControl.start(configuration: configuration, bridge: bridge)
        case .runHook(let call): try await hooks.run(call)
        case .createBridge, .deleteLink, .setMTU, .setForwardDelay, .setSpanningTree, .setVLANFiltering, .setOnline,
            .addAddress, .addRoute, .configureIPv6, .checkIPv6Forwarding, .enableForwarding, .writeFile, .removeFile,
            .makeDirectory,
            .reloadDnsmasq, .endDnsmasq, .awaitEndOfDnsmasq:
            try await BlockingPool.shared.run { try Self.performBlocking(action) }
        }
    }

    private func control(_ command: TrafficCommand) async throws {
        let child = ChildProcess("tc", command.arguments)
        let output = try await ChildProcess.run(child)
        if !output.status.isSuccess, !command.isOptional { throw ChildProcess.failure(child.commandLine, output) }
    }

    /// What needs no other process; on a pool thread.
    private static func performBlocking(_ action: HostAction) throws {
        switch action {
        case .createBridge(let name, let mac): try Link.createBridge(name, mac: mac)
        case .deleteLink(let name): try Link.delete(name)
        case .setMTU(let name, let size): try Link.setMTU(name, size)
        case .setForwardDelay(let name, let seconds): try Link.setForwardDelay(name, seconds: seconds)
        case .setSpanningTree(let name, let isOn): try Link.setSpanningTree(name, isOn)
        case .setVLANFiltering(let name, let isOn): try Link.setVLANFiltering(name, isOn)
        case .setOnline(let name, let isOnline): try Link.setOnline(name, isOnline)
        case .addAddress(let name, let address, let prefix): try Link.addAddress(name, address, prefix: prefix)
        case .addRoute(let name, let route): try Link.addRoute(name, route)
        case .configureIPv6(let name, let isEnabled): try Sysctl.configureIPv6(name, isEnabled: isEnabled)
        case .checkIPv6Forwarding: try Sysctl.checkIPv6Forwarding()
        case .enableForwarding(let ipv4, let ipv6): try Sysctl.enableForwarding(ipv4: ipv4, ipv6: ipv6)
        case .writeFile(let path, let text, let mode):
            try FileSystem.makeDirectories(FileSystem.directory(of: path))
            try FileSystem.atomicWrite(path, Array(text.utf8), mode: mode)
        case .removeFile(let path): try FileSystem.remove(path)
        case .makeDirectory(let path): try FileSystem.makeDirectories(path)
        case .reloadDnsmasq(let process): try DnsmasqControl.reload(process)
        case .endDnsmasq(let process): DnsmasqControl.end(process)
        case .awaitEndOfDnsmasq(let process): DnsmasqControl.awaitEnd(process)
        case .addRules, .removeRules, .checkChains, .trafficControl, .startDnsmasq, .runHook: break
        }
    }

    func linkExists(_ name: String) -> Bool { Link.exists(name) }

    func routes() async -> RouteTable {
        let bytes = try? await BlockingPool.shared.run { try FileSystem.read("/proc/net/route") }
        return RouteTable(String(decoding: bytes ?? [], as: UTF8.self))
    }

    func dnsmasq(_ files: DnsmasqConfiguration.Files) async -> DnsmasqProcess? {
        try? await BlockingPool.shared.run { DnsmasqControl.running(files) }
    }

    func readFile(_ path: String) async throws -> [UInt8]? {
        try await BlockingPool.shared.run {
            do {
                return try FileSystem.read(path)
            } catch let error as VirtError where error.int1 == ENOENT {
                return nil
            }
        }
    }

    func hasHook() async -> Bool { await hooks.isPresent() }
}

/// What runs the scripts in /etc/libvirt/hooks.
protocol NetworkHooks: Sendable {
    func isPresent() async -> Bool
    func run(_ call: HookCall) async throws
}

/// A way to put a network's rules into the kernel.
protocol FirewallBackend: Sendable {
    func add(_ rules: [FirewallRule]) async throws
    func remove(_ rules: [FirewallRule]) async
    /// Looks for libvirt's chains anew before the next rule: somebody may have flushed the host's rules.
    func forgetChains() async
}

extension Firewall: FirewallBackend {}
