import Synchronization
import VirtCore
import VirtModel

@testable import NetworkDriver

/// A host in memory: it notes what is done to it and fails where a test says so.
final class FakeHost: NetworkHost {
    struct State: Sendable {
        var actions: [HostAction] = []
        /// The number of the action that fails, counted from 0.
        var failing: Int?
        var links: Set<String> = []
        var files: [String: String] = [:]
        var rules: [FirewallRule] = []
        /// pid files and the processes that they name.
        var dnsmasq: [String: Int32] = [:]
        var nextPID: Int32 = 100
        var routes = RouteTable("")
        var hasHook = false
        var functions: [VirtualFunction] = []
    }

    private let state = Mutex(State())

    init(links: Set<String> = []) { state.withLock { $0.links = links } }

    /// What was done to the host so far.
    var now: State { state.withLock { $0 } }

    func prepare(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    struct Failure: Error, Equatable {}

    var actions: [HostAction] { state.withLock { $0.actions } }

    func perform(_ action: HostAction) async throws {
        try state.withLock { state in
            let number = state.actions.count
            state.actions.append(action)
            if number == state.failing { throw Failure() }
            try Self.apply(action, &state)
        }
    }

    private static func apply(_ action: HostAction, _ state: inout State) throws {
        switch action {
        case .createBridge(let name, _):
            guard state.links.insert(name).inserted else { throw Failure() }
        case .deleteLink(let name): state.links.remove(name)
        case .addRules(let rules): state.rules += rules
        case .removeRules(let rules): state.rules.removeAll { rules.contains($0) }
        case .writeFile(let path, let text, _): state.files[path] = text
        case .removeFile(let path): state.files[path] = nil
        case .startDnsmasq(let configuration, _):
            state.dnsmasq[configuration] = state.nextPID
            state.nextPID += 1
        case .endDnsmasq(let process), .awaitEndOfDnsmasq(let process):
            state.dnsmasq = state.dnsmasq.filter { $0.value != process.pid }
        case .setMTU, .setForwardDelay, .setSpanningTree, .setVLANFiltering, .setOnline, .addAddress, .addRoute,
            .configureIPv6, .checkIPv6Forwarding, .checkChains, .enableForwarding, .trafficControl, .makeDirectory,
            .reloadDnsmasq,
            .runHook:
            break
        }
    }

    func linkExists(_ name: String) -> Bool { state.withLock { $0.links.contains(name) } }
    func isVirtualFunction(_ address: Network.PCIAddress) -> Bool { true }
    func virtualFunctions(of device: String) async throws -> [VirtualFunction] { state.withLock { $0.functions } }
    func routes() async -> RouteTable { state.withLock { $0.routes } }

    func dnsmasq(_ files: DnsmasqConfiguration.Files) async -> DnsmasqProcess? {
        state.withLock { $0.dnsmasq[files.configuration] }.map { DnsmasqProcess(pid: $0) }
    }

    func readFile(_ path: String) async throws -> [UInt8]? { state.withLock { $0.files[path] }.map { Array($0.utf8) } }
    func hasHook() async -> Bool { state.withLock { $0.hasHook } }
}

extension NetworkPaths {
    static let test = NetworkPaths(
        configuration: "/c", autostart: "/c/autostart", state: "/nonexistent/s", processes: "/nonexistent/s",
        dnsmasq: "/d", root: "")
}

func network(_ body: String, name: String = "n") throws -> Network {
    try Network.parse(definition(body, name: name).utf8)
}

func definition(_ body: String, name: String = "n") -> String { "<network><name>\(name)</name>\(body)</network>" }
