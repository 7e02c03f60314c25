import VirtModel

/// The rules of a network for nftables: tables `ip libvirt_network` and `ip6 libvirt_network`, with libvirt's chains.
/// DHCP and DNS are the host's business there, so the rules for them have no counterpart.
enum NftablesRules {
    static let table = "libvirt_network"

    /// What is made once per family.
    static func setUp(_ layer: FirewallRule.Layer) -> String {
        let family = family(layer)
        var text = "add table \(family) \(table)\n"
        text += "add chain \(family) \(table) forward { type filter hook forward priority 0; policy accept; }\n"
        text += "add chain \(family) \(table) guest_nat { type nat hook postrouting priority 100; policy accept; }\n"
        for chain in ["guest_cross", "guest_input", "guest_output"] {
            text += "add chain \(family) \(table) \(chain)\n"
        }
        text += "flush chain \(family) \(table) forward\n"
        for chain in ["guest_cross", "guest_input", "guest_output"] {
            text += "add rule \(family) \(table) forward counter jump \(chain)\n"
        }
        return text
    }

    static func family(_ layer: FirewallRule.Layer) -> String { layer == .ipv4 ? "ip" : "ip6" }

    /// The chain and the words of a rule; nil where nftables needs none.
    static func rule(_ rule: FirewallRule) -> (chain: String, words: String)? {
        let chain: String
        switch (rule.table, rule.chain) {
        case (.filter, "LIBVIRT_FWO"): chain = "guest_output"
        case (.filter, "LIBVIRT_FWI"): chain = "guest_input"
        case (.filter, "LIBVIRT_FWX"): chain = "guest_cross"
        case (.nat, _): chain = "guest_nat"
        default: return nil
        }
        return (chain, words(rule))
    }

    private static func words(_ rule: FirewallRule) -> String {
        let family = family(rule.layer)
        var matches: [String] = []
        var verdict: [String] = []
        var isNegated = false
        var rest = rule.arguments[...]
        while let word = rest.popFirst() {
            if word == "!" {
                isNegated = true
                continue
            }
            let value = rest.popFirst() ?? ""
            switch word {
            case "--source": matches.append("\(family) saddr \(value)")
            case "--destination": matches.append("\(family) daddr \(isNegated ? "!= " : "")\(value)")
            case "--in-interface": matches.append("iifname \"\(value)\"")
            case "--out-interface": matches.append("oifname \"\(value)\"")
            case "-p": matches.insert("meta l4proto \(value)", at: 0)
            case "--ctstate": matches.append("ct state \(value.lowercased())")
            case "--jump": verdict = [value.lowercased()]
            case "--to-source", "--to-ports": verdict += ["to", word == "--to-ports" ? ":\(value)" : value]
            default: break
            }
            isNegated = false
        }
        return (matches + ["counter"] + verdict).joined(separator: " ")
    }

    /// One line that inserts a rule. The comment finds it again.
    static func insertion(_ rule: FirewallRule, comment: String) -> String? {
        guard let (chain, words) = self.rule(rule) else { return nil }
        return "insert rule \(family(rule.layer)) \(table) \(chain) \(words) comment \"\(comment)\"\n"
    }

    /// Lines that delete the rules with these comments, given a listing with handles.
    static func deletions(_ layer: FirewallRule.Layer, listing: String, comments: Set<String>) -> String {
        var chain = ""
        var text = ""
        for line in listing.split(separator: "\n") {
            let words = line.split(separator: " ").map { String($0) }
            if words.first?.hasSuffix("chain") == true, words.count > 1 { chain = words[1] }
            guard let mark = words.firstIndex(of: "comment"), mark + 1 < words.count,
                comments.contains(words[mark + 1].filter { $0 != "\"" }),
                let handle = words.lastIndex(of: "handle"), handle + 1 < words.count
            else { continue }
            text += "delete rule \(family(layer)) \(table) \(chain) handle \(words[handle + 1])\n"
        }
        return text
    }

    /// The mark of a rule: the same for the same rule, in any daemon's life.
    static func comment(_ rule: FirewallRule) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in (rule.chain + " " + rule.arguments.joined(separator: " ")).utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        return "virt-" + String(hash, radix: 16)
    }
}
