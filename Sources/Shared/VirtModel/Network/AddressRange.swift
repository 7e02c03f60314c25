package import VirtCore

/// A range of addresses, both ends included: of leases, or of addresses to translate to.
package struct AddressRange: Equatable, Sendable {
    package var start: IPAddress
    package var end: IPAddress

    package init(start: IPAddress, end: IPAddress) {
        self.start = start
        self.end = end
    }

    /// How many addresses the range holds, after libvirt's checks: one family, inside the network when one is given,
    /// neither the network's own nor its broadcast address, at most 65536 long.
    package func count(in network: IPAddress? = nil, prefix: Int = 0) throws(VirtError) -> Int {
        guard start.family == end.family else {
            throw failure("mismatch of address family in range \(start) - \(end)")
        }
        if let network { try check(in: network, prefix: prefix) }
        let steps = start.bytes.count - 2
        guard start.bytes.prefix(steps) == end.bytes.prefix(steps) else {
            throw failure("range \(start) - \(end) is too large (> 65535)")
        }
        let count = tail(end) - tail(start)
        guard count >= 0 else {
            throw failure("range \(start) - \(end) " + (start.isIPv4 ? "is reversed " : "start larger than end"))
        }
        return count + 1
    }

    private func tail(_ address: IPAddress) -> Int {
        address.bytes.suffix(2).reduce(0) { $0 << 8 | Int($1) }
    }

    private func check(in network: IPAddress, prefix: Int) throws(VirtError) {
        guard start.family == network.family else {
            throw failure("mismatch of address family in range \(start) - \(end) for network \(network)")
        }
        guard let base = network.network(prefix: prefix), let last = network.broadcast(prefix: prefix) else {
            throw failure("bad prefix \(prefix) for network \(network) when  checking range \(start) - \(end)")
        }
        guard start.network(prefix: prefix) == base, end.network(prefix: prefix) == base else {
            throw failure("range \(start) - \(end) is not entirely within network \(network)/\(prefix)")
        }
        guard network.isIPv4 else { return }
        if start == base {
            throw failure("start of range \(start) - \(end) in network \(network)/\(prefix) is the network address")
        }
        if end == last {
            throw failure("end of range \(start) - \(end) in network \(network)/\(prefix) is the broadcast address")
        }
    }

    private func failure(_ text: String) -> VirtError { VirtError(.internalError, .none, text) }
}
