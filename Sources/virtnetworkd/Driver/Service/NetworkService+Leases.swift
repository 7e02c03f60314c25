import Glibc
import NetworkLeases
import VirtCore
import VirtModel

extension NetworkService {
    /// A lease with what the network adds to it.
    struct ReportedLease: Equatable, Sendable {
        let lease: DHCPLease
        let interface: String
        let prefix: UInt32
    }

    /// virNetworkGetDHCPLeases: the leases that are in force, of one guest when a MAC is given.
    func leases(_ uuid: UUID, _ name: String, mac: String?) async throws -> [ReportedLease] {
        let wanted = try mac.map { text throws(VirtError) in
            guard let parsed = MACAddress(parsing: text) else { throw VirtError(.invalidMac, .network, text) }
            return parsed
        }
        let network = try registry.find(uuid, name: name).current
        guard let bridge = network.bridge.name else { return [] }
        let path = paths.leases(bridge)
        guard let bytes = try await host.readFile(path) else { return [] }
        guard let leases = try? LeaseFile.parse(bytes) else {
            throw VirtError(.internalError, .network, "invalid json in file: \(path)")
        }
        let now = Int64(time(nil))
        return leases.compactMap { lease in
            guard let address = lease.macAddress, lease.expiryTime <= 0 || lease.expiryTime >= now else { return nil }
            if let wanted, MACAddress(parsing: address) != wanted { return nil }
            let ip = network.addresses.first { $0.address.isIPv4 != lease.isIPv6 }
            let prefix = lease.isIPv6 ? Int(ip?.givenPrefix ?? 0) : ip?.prefix ?? 0
            return ReportedLease(lease: lease, interface: bridge, prefix: UInt32(clamping: prefix))
        }
    }
}
