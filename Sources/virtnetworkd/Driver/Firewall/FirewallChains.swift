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

    /// The commands that add what is missing from a table, given what `--list-rules` says about it.
    static func missing(in table: FirewallRule.Table, listing: String) -> [[String]] {
        let lines = Set(listing.split(separator: "\n").map { String($0) })
        var commands: [[String]] = []
        for chain in all where chain.table == table {
            let prefix = ["-w", "--table", table.rawValue]
            if !lines.contains("-N \(chain.name)") { commands.append(prefix + ["--new-chain", chain.name]) }
            if !lines.contains("-A \(chain.parent) -j \(chain.name)") {
                commands.append(prefix + ["--insert", chain.parent, "--jump", chain.name])
            }
        }
        return commands
    }
}
