/// What dnsmasq's `--dhcp-script` is asked to do, computed from its arguments and environment without touching
/// anything: the helper does the reading and writing.
package struct LeaseScript: Equatable, Sendable {
    package enum Action: String, Sendable { case add, old, del, `init` }

    package let action: Action
    /// The bridge whose lease file is meant.
    package let interface: String
    private let lease: DHCPLease?
    private let address: String?
    private let serverDUID: String?

    /// Why the arguments can't be used.
    package struct Misuse: Error, Equatable { package let text: String }

    /// - Parameter arguments: without the program's name: action, MAC or DUID, address, host name.
    package init(arguments: [String], environment: [String: String]) throws {
        guard arguments.count == 1 || arguments.count == 3 || arguments.count == 4 else {
            throw Misuse(text: "expected: add|old|del|init mac|clientid ip [hostname]")
        }
        guard let interface = environment["DNSMASQ_INTERFACE"] ?? environment["VIR_BRIDGE_NAME"] else {
            throw Misuse(text: "interface not set")
        }
        guard !interface.isEmpty, !interface.contains("/"), interface != "..", interface != "." else {
            throw Misuse(text: "bad interface name")
        }
        guard let action = Action(rawValue: arguments[0]) else {
            throw Misuse(text: "Unsupported action: \(arguments[0])")
        }
        self.action = action
        self.interface = interface
        serverDUID = environment["DNSMASQ_SERVER_DUID"]
        address = arguments.count > 2 ? arguments[2] : nil
        lease = try address.flatMap { try Self.lease(arguments, environment, $0) }
    }

    /// The lease of `add` and `old`; nil when the MAC of an IPv6 guest is not known.
    private static func lease(
        _ arguments: [String], _ environment: [String: String], _ address: String
    ) throws -> DHCPLease? {
        let iaid = environment["DNSMASQ_IAID"]
        guard let mac = iaid == nil ? arguments[1] : environment["DNSMASQ_MAC"] else { return nil }
        let given = arguments.count > 3 ? arguments[3] : environment["DNSMASQ_SUPPLIED_HOSTNAME"]
        var expiry: Int64 = 0
        if let text = environment["DNSMASQ_LEASE_EXPIRES"] {
            let trimmed = text.split(separator: " ").first.map { String($0) } ?? ""
            guard let value = Int64(trimmed) else {
                throw Misuse(text: "Unable to convert lease expiry time to long long: \(text)")
            }
            expiry = value
        }
        return DHCPLease(
            iaid: iaid, ipAddress: address, macAddress: mac,
            hostname: given ?? environment["DNSMASQ_OLD_HOSTNAME"],
            clientID: iaid == nil ? environment["DNSMASQ_CLIENT_ID"] : arguments[1],
            serverDUID: environment["DNSMASQ_SERVER_DUID"], expiryTime: expiry)
    }

    /// What is to be written and printed.
    package struct Outcome: Equatable, Sendable {
        /// The new leases; nil: the file stays as it is.
        package var leases: [DHCPLease]?
        /// The lease database for dnsmasq's standard input, of `init`.
        package var output = ""
    }

    package func run(on leases: [DHCPLease]) -> Outcome {
        if action == .`init` {
            var duid = serverDUID
            let kept = keep(leases, without: nil, &duid)
            return Outcome(leases: nil, output: database(kept, duid))
        }
        var duid = serverDUID
        let replaced = action == .del || lease != nil ? address : nil
        var kept = keep(leases, without: replaced, &duid)
        if action != .del, let lease { kept.append(lease) }
        return Outcome(leases: kept)
    }

    /// The leases but one; those of IPv6 hand the server's DUID on.
    private func keep(_ leases: [DHCPLease], without address: String?, _ duid: inout String?) -> [DHCPLease] {
        leases.compactMap { old in
            var lease = old
            if lease.ipAddress == address { return nil }
            if lease.isIPv6 {
                if let known = lease.serverDUID { duid = duid ?? known } else { lease.serverDUID = duid }
            }
            return lease
        }
    }

    /// dnsmasq's own lease file format.
    private func database(_ leases: [DHCPLease], _ duid: String?) -> String {
        func line(_ lease: DHCPLease, _ key: String?) -> String {
            "\(lease.expiryTime) \(key ?? "*") \(lease.ipAddress) \(lease.hostname ?? "*") \(lease.clientID ?? "*")\n"
        }
        var text = leases.filter { !$0.isIPv6 }.map { line($0, $0.macAddress) }.joined()
        guard let duid else { return text }
        text += "duid \(duid)\n"
        return text + leases.filter { $0.isIPv6 }.map { line($0, $0.iaid) }.joined()
    }
}
