import QEMUMonitor
import VirtCore

/// The places for processors that QEMU offers (`query-hotpluggable-cpus`), in the order of the processors' numbers.
struct VCPUSlots: Sendable {
    struct Slot: Sendable {
        /// The first processor of the place.
        let first: Int
        let count: Int
        let type: String
        let properties: JSONObject
        /// Set when a processor is plugged in.
        let path: String?

        /// The alias of a processor that was plugged in later: only such a one can be taken out.
        var alias: String? {
            guard let path, let name = path.split(separator: "/").last, name.hasPrefix("vcpu") else { return nil }
            return String(name)
        }

        /// The command that plugs a processor in.
        var plug: QMPCommand {
            var words: JSONObject = ["driver": .string(type), "id": .string("vcpu\(first)")]
            for member in properties.members { words[member.key] = member.value }
            return QMPCommand("device_add", .object(words))
        }
    }

    let slots: [Slot]

    init(_ answer: JSONValue) {
        let keys = ["node-id", "socket-id", "die-id", "cluster-id", "core-id", "thread-id"]
        func place(_ entry: JSONValue) -> [Int64] { keys.map { entry["props"]?[$0]?.int ?? 0 } }
        let sorted = (answer.array ?? []).sorted { place($0).lexicographicallyPrecedes(place($1)) }
        var next = 0
        slots = sorted.map { entry in
            let count = min(max(1, entry["vcpus-count"]?.integer(Int.self) ?? 1), 1024)
            defer { next += count }
            return Slot(
                first: next, count: count, type: entry["type"]?.string ?? "",
                properties: entry["props"]?.object ?? [:], path: entry["qom-path"]?.string)
        }
    }

    /// The place of a processor.
    func slot(of number: UInt32) -> Slot? {
        slots.first { $0.first <= Int(number) && Int(number) < $0.first + $0.count }
    }
}
