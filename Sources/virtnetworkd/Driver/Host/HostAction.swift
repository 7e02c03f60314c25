import VirtModel

/// One thing that a network does to the host. Starting and stopping are lists of these; `NetworkHost` performs them.
enum HostAction: Equatable, Sendable {
    case createBridge(String, MACAddress?)
    case deleteLink(String)
    case setMTU(String, UInt32)
    case setForwardDelay(String, seconds: UInt64)
    case setSpanningTree(String, Bool)
    case setVLANFiltering(String, Bool)
    case setOnline(String, Bool)
    case addAddress(String, IPAddress, prefix: Int)
    case addRoute(String, Network.Route)
    /// Turns IPv6 on or off on a bridge, and guests' router advertisements off. Nothing where the kernel has no IPv6.
    case configureIPv6(String, isEnabled: Bool)
    /// Refuses to forward IPv6 where the host would lose routes that it learned from routers.
    case checkIPv6Forwarding
    /// Has the host forward packets between its links.
    case enableForwarding(ipv4: Bool, ipv6: Bool)
    /// Makes libvirt's chains, and the rules in them.
    case addRules([FirewallRule])
    case removeRules([FirewallRule])
    /// Has the next rules look whether libvirt's chains are still there.
    case checkChains
    /// Runs tc; failures of optional commands don't count.
    case trafficControl(TrafficCommand)
    case writeFile(String, text: String, mode: UInt32)
    case removeFile(String)
    case makeDirectory(String)
    /// Starts dnsmasq with a configuration that is written; returns once it runs.
    case startDnsmasq(configuration: String, bridge: String)
    /// Has dnsmasq read its hosts files again.
    case reloadDnsmasq(DnsmasqProcess)
    case endDnsmasq(DnsmasqProcess)
    /// Ends dnsmasq and waits for it.
    case awaitEndOfDnsmasq(DnsmasqProcess)
    case runHook(HookCall)
}

/// A call of the hook script `network`.
struct HookCall: Equatable, Sendable {
    var network: String
    var operation: String
    var subOperation: String
    /// `<hookData>` with the network and maybe a port.
    var input: String
}

/// A dnsmasq that runs for a network.
struct DnsmasqProcess: Equatable, Sendable {
    var pid: Int32
}

/// One command of tc.
struct TrafficCommand: Equatable, Sendable {
    var arguments: [String]
    var isOptional = false
}

/// The host that networks run on.
protocol NetworkHost: Sendable {
    func perform(_ action: HostAction) async throws
    func linkExists(_ name: String) -> Bool
    /// Whether a PCI device is an SR-IOV virtual function.
    func isVirtualFunction(_ address: Network.PCIAddress) -> Bool
    /// The virtual functions of a network device.
    func virtualFunctions(of device: String) async throws -> [VirtualFunction]
    func routes() async -> RouteTable
    /// The dnsmasq of a network that runs now, whoever started it.
    func dnsmasq(_ files: DnsmasqConfiguration.Files) async -> DnsmasqProcess?
    /// A file's bytes; nil if there is none.
    func readFile(_ path: String) async throws -> [UInt8]?
    /// Whether there is a hook script to call.
    func hasHook() async -> Bool
}

/// A virtual function of an SR-IOV device.
struct VirtualFunction: Equatable, Sendable {
    var address: Network.PCIAddress
    /// Its network device, if a driver is bound to it.
    var interface: String?
}
