import VirtCore
import VirtOS

/// Which firewall the rules go into: `firewall_backend` in network.conf, iptables unless it says otherwise.
enum FirewallChoice {
    static func backend(etcLibvirt: String) -> any FirewallBackend {
        let path = etcLibvirt + "/network.conf"
        guard FileSystem.exists(path) else { return Firewall() }
        do {
            let file = try ConfigFile.parse(bytes: try FileSystem.read(path, limit: 1 << 20), name: path)
            switch try file.string("firewall_backend") {
            case "nftables": return NftablesFirewall()
            case "iptables", nil: return Firewall()
            case let other?:
                networkLog.error("\(path): unknown firewall_backend '\(other)', iptables is used")
                return Firewall()
            }
        } catch {
            networkLog.error("\(error)")
            return Firewall()
        }
    }
}
