/// libvirt's own chains, which the rules of all networks go into.
enum FirewallChains {
    struct Chain: Equatable, Sendable {
        let table: FirewallRule.Table
        let parent: String
        let name: String
    }

    /// In the order of insertion: in FORWARD, FWX ends up before FWI before FWO.
    static let all: [Chain] =
        [
            Chain(table: .filter, parent: "INPUT", name: "LIBVIRT_INP"),
            Chain(table: .filter, parent: "OUTPUT", name: "LIBVIRT_OUT"),
            Chain(table: .filter, parent: "FORWARD", name: "LIBVIRT_FWO"),
            Chain(table: .filter, parent: "FORWARD", name: "LIBVIRT_FWI"),
            Chain(table: .filter, parent: "FORWARD", name: "LIBVIRT_FWX"),
        ]
        + [FirewallRule.Table.nat, .mangle].map { Chain(table: $0, parent: "POSTROUTING", name: "LIBVIRT_PRT") }

    /// The input of iptables-restore that adds what is missing, given what iptables-save says; nil: nothing is.
    static func missing(saved: String) -> String? {
        var present: [String: Set<String>] = [:]
        var table = ""
        for line in saved.split(separator: "\n") {
            if line.hasPrefix("*") {
                table = String(line.dropFirst())
            } else if line.hasPrefix(":") {
                present[table, default: []].insert(String(line.split(separator: " ")[0]))
            } else {
                present[table, default: []].insert(String(line))
            }
        }
        let input = FirewallRule.Table.allCases.map { additions($0, present[$0.rawValue] ?? []) }.joined()
        return input.isEmpty ? nil : input
    }

    private static func additions(_ table: FirewallRule.Table, _ present: Set<String>) -> String {
        var lines: [String] = []
        for chain in all where chain.table == table {
            if !present.contains(":\(chain.name)") { lines.append("--new-chain \(chain.name)") }
            if !present.contains("-A \(chain.parent) -j \(chain.name)") {
                lines.append("--insert \(chain.parent) --jump \(chain.name)")
            }
        }
        return lines.isEmpty ? "" : "*\(table.rawValue)\n\(lines.joined(separator: "\n"))\nCOMMIT\n"
    }
}
