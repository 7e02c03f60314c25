import CLinux
import QEMUCommand

/// The host's own processor, as its CPUID instruction tells.
struct HostProcessor: Sendable {
    var identity = CPUIdentity()
    var features: Set<String> = []
    var physicalAddressBits: Int32?

    /// Asks the processor about every feature of the map.
    static func read(_ map: CPUMap) -> HostProcessor {
        var processor = HostProcessor()
        var answers: [CPUMap.Bits.Source: [UInt32]] = [:]
        for feature in map.features where !feature.bits.isEmpty {
            let holds = feature.bits.allSatisfy { bits in
                let answer = answers[bits.source] ?? ask(bits.source)
                answers[bits.source] = answer
                return zip(answer, bits.masks).allSatisfy { $0 & $1 == $1 } && bits.masks.contains { $0 != 0 }
            }
            if holds { processor.features.insert(feature.name) }
        }
        processor.identity = identity(map)
        let extended = cpuid(0x8000_0008)
        if extended[0] & 0xFF > 0 { processor.physicalAddressBits = Int32(extended[0] & 0xFF) }
        return processor
    }

    private static func ask(_ source: CPUMap.Bits.Source) -> [UInt32] {
        switch source {
        case .cpuid(let leaf, let subleaf): cpuid(leaf, subleaf)
        // Only the kernel reads these registers; what they tell is left out.
        case .register: [0, 0, 0, 0]
        }
    }

    private static func cpuid(_ leaf: UInt32, _ subleaf: UInt32 = 0) -> [UInt32] {
        var registers: [UInt32] = [0, 0, 0, 0]
        unsafe clinux_cpuid(leaf, subleaf, &registers)
        return registers
    }

    private static func identity(_ map: CPUMap) -> CPUIdentity {
        var identity = CPUIdentity()
        let first = cpuid(0)
        let name = [first[1], first[3], first[2]].flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
        }
        identity.vendor = map.vendors[String(decoding: name, as: UTF8.self)]
        let signature = cpuid(1)[0]
        let family = (signature >> 8) & 0xF
        let model = (signature >> 4) & 0xF
        identity.family = family == 0xF ? family + ((signature >> 20) & 0xFF) : family
        identity.model = family == 0xF || family == 6 ? model + ((signature >> 16) & 0xF) << 4 : model
        identity.stepping = signature & 0xF
        return identity
    }
}
