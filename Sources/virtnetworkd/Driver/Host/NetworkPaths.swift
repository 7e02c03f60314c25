import VirtDaemon
import VirtXML

/// Where the daemon keeps its files: libvirt's places.
struct NetworkPaths: Equatable, Sendable {
    /// Definitions, one file per network.
    var configuration: String
    /// Links to the definitions of the networks that are started with the host.
    var autostart: String
    /// State of running networks, ports.
    var state: String
    /// Process ids.
    var processes: String
    /// Files of dnsmasq, lease files, MAC maps.
    var dnsmasq: String
    /// Put in front of all paths; empty on a host of its own.
    var root: String

    func configuration(_ name: String) -> String { "\(configuration)/\(name).xml" }
    func status(_ name: String) -> String { "\(state)/\(name).xml" }
    /// Stands while a network is being started or stopped: whoever finds it cleans up.
    func unfinished(_ name: String) -> String { "\(state)/\(name)\(Self.unfinishedSuffix)" }
    static let unfinishedSuffix = ".unfinished"
    func ports(_ name: String) -> String { "\(state)/\(name)/ports" }
    func leases(_ bridge: String) -> String { "\(dnsmasq)/\(bridge).status" }
    func macMap(_ bridge: String) -> String { "\(dnsmasq)/\(bridge).macs" }

    /// Files that dnsmasq is told of have libvirt's name for them: characters of XML are written as entities, so that a
    /// quotation mark does not begin a string of dnsmasq's.
    func dnsmasqFiles(_ name: String) -> DnsmasqConfiguration.Files {
        let safe = name.escapedForXML
        return DnsmasqConfiguration.Files(
            configuration: "\(dnsmasq)/\(name).conf", processID: "\(processes)/\(safe).pid",
            hosts: "\(dnsmasq)/\(safe).hostsfile", additionalHosts: "\(dnsmasq)/\(safe).addnhosts")
    }
}

extension NetworkPaths {
    init(_ paths: DaemonPaths) {
        configuration = paths.etcLibvirt + "/qemu/networks"
        autostart = configuration + "/autostart"
        root = paths.root
        if paths.isSession {
            state = paths.runLibvirt + "/network/lib"
            processes = paths.runLibvirt + "/network/run"
            dnsmasq = paths.runLibvirt + "/dnsmasq/lib"
        } else {
            state = paths.runLibvirt + "/network"
            processes = state
            dnsmasq = paths.varLibLibvirt + "/dnsmasq"
        }
    }
}
