/// One rule of iptables or ip6tables. All rules are inserted, so the last one issued stands first in its chain.
struct FirewallRule: Hashable, Sendable {
    enum Layer: String, Sendable, CaseIterable {
        case ipv4 = "iptables"
        case ipv6 = "ip6tables"
    }

    enum Table: String, Sendable, CaseIterable { case filter, nat, mangle }

    var layer: Layer
    var table: Table
    var chain: String
    var arguments: [String]
    /// A kernel or iptables without the feature does not stop the network.
    var isOptional = false

    init(_ layer: Layer, _ chain: String, _ arguments: [String]) { self.init(layer, .filter, chain, arguments) }

    init(_ layer: Layer, _ table: Table, _ chain: String, _ arguments: [String], isOptional: Bool = false) {
        self.layer = layer
        self.table = table
        self.chain = chain
        self.arguments = arguments
        self.isOptional = isOptional
    }

    /// The command line without the program.
    func commandLine(_ action: Action) -> [String] {
        ["-w", "--table", table.rawValue, action.rawValue, chain] + arguments
    }

    enum Action: String, Sendable {
        case insert = "--insert"
        case delete = "--delete"
    }

    /// Whether all words can stand in iptables-restore's input as they are.
    var isRestorable: Bool {
        !arguments.contains { word in
            word.isEmpty || word.utf8.contains { $0 <= 0x20 || $0 == 0x7F || "\"'\\#".utf8.contains($0) }
        }
    }

    /// The line of an iptables-restore input.
    func restoreLine(_ action: Action) -> String {
        ([action.rawValue, chain] + arguments).joined(separator: " ")
    }
}
