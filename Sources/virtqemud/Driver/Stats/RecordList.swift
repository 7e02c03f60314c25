import VirtCore
import VirtWire

extension BulkStatistics {
    /// The reply of CONNECT_GET_ALL_DOMAIN_STATS, its records encoded already: those of a thousand domains that don't
    /// run are the same bytes from call to call.
    struct RecordList: Sendable {
        private var records: [[UInt8]] = []

        /// A record as it is sent; an error for one that cannot be.
        static func encode(_ domain: DomainSnapshot, _ parameters: [TypedParameter]) throws(VirtError) -> [UInt8] {
            var writer = XDRWriter()
            RemoteDomainStatsRecord(dom: domain.handle, params: parameters).encode(into: &writer)
            if let failure = writer.failure { throw failure }
            return writer.bytes
        }

        mutating func append(encoded record: [UInt8]) { records.append(record) }

        var count: Int { records.count }

        func encode(into writer: inout XDRWriter) {
            guard writer.count(records.count, max: RemoteConnectGetAllDomainStatsRet.mostRecords, "retStats") else {
                return
            }
            writer.reserve(records.reduce(0) { $0 + $1.count })
            for record in records { writer.raw(record) }
        }
    }
}

extension RemoteConnectGetAllDomainStatsRet {
    /// REMOTE_CONNECT_GET_ALL_DOMAIN_STATS_MAX.
    static let mostRecords = 16_384
}
