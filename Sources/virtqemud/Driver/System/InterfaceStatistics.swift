/// The counters of a host interface.
struct InterfaceStatistics: Sendable, Equatable {
    var receivedBytes: Int64 = 0
    var receivedPackets: Int64 = 0
    var receiveErrors: Int64 = 0
    var receiveDrops: Int64 = 0
    var sentBytes: Int64 = 0
    var sentPackets: Int64 = 0
    var sendErrors: Int64 = 0
    var sendDrops: Int64 = 0

    /// The two directions exchanged: what a tap device receives is what its guest sent.
    var swapped: InterfaceStatistics {
        InterfaceStatistics(
            receivedBytes: sentBytes, receivedPackets: sentPackets, receiveErrors: sendErrors,
            receiveDrops: sendDrops, sentBytes: receivedBytes, sentPackets: receivedPackets,
            sendErrors: receiveErrors, sendDrops: receiveDrops)
    }

    static func read(_ name: String) -> InterfaceStatistics? {
        ProcFile.text("/proc/net/dev").flatMap { parse($0, name) }
    }

    /// Finds an interface's line in /proc/net/dev.
    static func parse(_ text: String, _ name: String) -> InterfaceStatistics? {
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            guard line[..<colon].drop(while: { $0 == " " }) == name else { continue }
            let fields = line[line.index(after: colon)...].split(separator: " ").map { Int64($0) ?? 0 }
            guard fields.count >= 12 else { return nil }
            return InterfaceStatistics(
                receivedBytes: fields[0], receivedPackets: fields[1], receiveErrors: fields[2],
                receiveDrops: fields[3], sentBytes: fields[8], sentPackets: fields[9], sendErrors: fields[10],
                sendDrops: fields[11])
        }
        return nil
    }
}
